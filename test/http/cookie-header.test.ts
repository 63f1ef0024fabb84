import fc from 'fast-check'
import t from 'tap'
import { cookieValues } from '../../src/http/cookie-header.ts'

t.test('values of a name, in the order of the header', async (t) => {
  const cases: [header: string | undefined, values: string[]][] = [
    [undefined, []],
    ['', []],
    ['session=a', ['a']],
    ['session=a; session=b; other=c; session=a', ['a', 'b', 'a']],
    ['$Version="1"; session="a";$Path="/";$Domain="127.0.0.1";$Port="5000"', ['a']],
    ['$Version=1;session="a"; $Path="/;session=b"; session="c"', ['a', 'b"', 'c']],
    ['session="a"', ['a']],
    ['session="a', ['"a']],
    ['session="', ['"']],
    ['session=""', ['']],
    ['session', []],
    ['session=', ['']],
    ['session=a=b==', ['a=b==']],
    [' session = a ;\tsession\t=\tb\t;;; ;session=c', ['a', 'b', 'c']],
    ['Session=a; SESSION=b; xsession=c; session2=d; $session=e', []],
    ['session=%61; session="%61"', ['%61', '%61']],
    // What a browser stores under another name, or as one value, stays that.
    ['other=x,session=a; other="x, session=b"', []],
    ['\u00a0session=a; \ufeffsession=b; \u0085session=c; \u000bsession=d; \u000csession=e; session\u00a0=f', []],
  ]
  for (const [header, values] of cases) t.same(cookieValues(header, 'session'), values, `${header}`)
})

t.test('no header of other cookies hides ours, or is read as ours', async () => {
  const junk = fc.string({ unit: fc.constantFrom(...'"\\,= \t$%ab\u00a0\u0000'), maxLength: 20 })
  const strangers = fc.array(fc.oneof(junk, fc.string()).map((text) => text.replaceAll(';', '')))
  const isOther = (text: string) => !/^[ \t]*session[ \t]*=/.test(text)
  fc.assert(
    fc.property(strangers, strangers, fc.constantFrom('a.b-c_d', '"a.b-c_d"'), (before, after, ours) => {
      const others = [before, after].map((texts) => texts.filter(isOther))
      const header = [...(others[0] ?? []), `session=${ours}`, ...(others[1] ?? [])].join(';')
      const values = cookieValues(header, 'session')
      return values.length === 1 && values[0] === 'a.b-c_d'
    }),
    { numRuns: 1_000 },
  )
})
