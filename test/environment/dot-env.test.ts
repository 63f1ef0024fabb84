import t from 'tap'
import { parseDotEnv } from '../../src/environment/dot-env.ts'

const utf8 = (text: string) => new TextEncoder().encode(text)

const understood: Readonly<Record<string, readonly [string, object]>> = {
  'a BOM': ['\ufeffPORT=1\nHOST=a', { PORT: '1', HOST: 'a' }],
  CRLF: ['PORT=1\r\n\r\n# comment\r\nHOST="a b"\r\n', { PORT: '1', HOST: 'a b' }],
  CR: ['PORT=1\rHOST=a\r', { PORT: '1', HOST: 'a' }],
  export: ['export PORT=1\nexport HOST="a"\n', { PORT: '1', HOST: 'a' }],
  'spaces around names and values': ['  PORT = 1  \n', { PORT: '1' }],
  'comments behind values': ['PORT=1 # one\nHOST="a" # two\n', { PORT: '1', HOST: 'a' }],
  '# in quotes': [`A="a # b"\nB='#'\nC=\`#c\`\n`, { A: 'a # b', B: '#', C: '#c' }],
  'quotes in other quotes': [`A='say "hi"'\nB="it's"\n`, { A: 'say "hi"', B: "it's" }],
  'several lines in quotes': [`A="one\r\ntwo"\nB='three\nfour'\nC=5`, { A: 'one\ntwo', B: 'three\nfour', C: '5' }],
  '\\n, a line end in double quotes only': [`A="a\\nb"\nB='a\\nb'`, { A: 'a\nb', B: 'a\\nb' }],
  '$, which nothing expands': ['A=$B-$C', { A: '$B-$C' }],
  '= in values': ['A=b=c==', { A: 'b=c==' }],
  'no value': ['A=\nB=""\n', { A: '', B: '' }],
  'other scripts': ['A=Zürich 東京', { A: 'Zürich 東京' }],
  nothing: ['', {}],
}

for (const [what, [text, variables]] of Object.entries(understood))
  t.test(`.env may have ${what}`, async (t) => t.same(parseDotEnv(utf8(text)), variables))

const utf16 = Buffer.from('\ufeffPORT=1\r\n', 'utf16le')
const refused: Readonly<Record<string, Uint8Array>> = {
  'UTF-16, little-endian': utf16,
  'UTF-16, big-endian': Buffer.from(utf16).swap16(),
  'UTF-16 without a BOM': utf16.subarray(2),
  'Latin-1': Buffer.from('A=Zürich', 'latin1'),
}

for (const [what, bytes] of Object.entries(refused))
  t.test(`.env in ${what} is refused with one sentence`, async (t) => {
    t.throws(() => parseDotEnv(bytes), {
      name: 'StartError',
      fault: 'configuration',
      message: /^The file \.env .* UTF-8: .*$/,
    })
  })
