import { fork } from 'node:child_process'
import { once } from 'node:events'

/** A process of ours that answers questions, one at a time. */
export type Program<Question extends object | string, Answer> = {
  ask(question: Question): Promise<Answer>
  end(): Promise<void>
}

/** Starts a process that answers questions: see answerQuestions(). */
export function startProgram<Question extends object | string, Answer>(
  file: string,
  args: readonly string[] = [],
  execArgv: readonly string[] = [],
): Program<Question, Answer> {
  const child = fork(file, args, { execArgv: [...execArgv], serialization: 'advanced' })
  const gone = once(child, 'exit')
  const failed = gone.then(([code, signal]) => {
    throw new Error(`${file} ended (${signal ?? code}) before its work was done`)
  })
  // Only who is waiting for an answer is to be told.
  failed.catch(() => undefined)
  return {
    async ask(question) {
      const answered = once(child, 'message')
      child.send(question)
      const [answer] = await Promise.race([answered, failed])
      // The other end is answerQuestions() of the same types.
      return answer as Answer
    },
    async end() {
      if (child.connected) child.disconnect()
      await gone
    },
  }
}

/**
 * In such a process: answers each question, and ends when the one who asks does.
 * @param close - what is to be done before that.
 */
export function answerQuestions<Question extends object | string, Answer>(
  answer: (question: Question) => Promise<Answer>,
  close = async () => {},
): void {
  // Not at Ctrl-C, which reaches all processes: the one that started us ends us in order.
  process.on('SIGINT', () => undefined)
  process.on('disconnect', () => void close().finally(() => process.exit()))
  process.on('message', async (question) => {
    // The other end is startProgram() of the same types.
    process.send?.(await answer(question as Question))
  })
}
