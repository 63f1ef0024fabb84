/** A start that cannot go on, told to the person at the terminal: the message alone says what is wrong and what to do. */
export class StartError extends Error {
  override name = 'StartError'
}
