import t from 'tap'
import { relyingPartyOf } from '../../src/passkeys/relying-party.ts'

t.test('passkeys belong to the first origin that permits them, and serve its subdomains', async (t) => {
  for (const [origins, party] of [
    [['https://rookery.example'], { id: 'rookery.example', origins: ['https://rookery.example'] }],
    [
      ['https://rookery.example', 'https://app.rookery.example:8443', 'https://notrookery.example', 'https://example'],
      { id: 'rookery.example', origins: ['https://rookery.example', 'https://app.rookery.example:8443'] },
    ],
    [
      ['https://app.rookery.example', 'https://rookery.example'],
      { id: 'app.rookery.example', origins: ['https://app.rookery.example'] },
    ],
    [
      ['http://127.0.0.1:5000', 'http://localhost:5000', 'http://[::1]:5000'],
      { id: 'localhost', origins: ['http://localhost:5000'] },
    ],
    [['http://app.localhost:5000'], { id: 'app.localhost', origins: ['http://app.localhost:5000'] }],
    [
      ['https://192.0.2.1', 'https://[2001:db8::1]', 'http://rookery.example', 'https://b.example'],
      { id: 'b.example', origins: ['https://b.example'] },
    ],
    [['https://rookery.example', 'http://rookery.example'], { origins: ['https://rookery.example'] }],
    [['http://rookery.example', 'http://localhost.example', 'https://127.0.0.1'], undefined],
    [[], undefined],
  ] as const)
    t.match(relyingPartyOf(origins), party, origins.join(' '))
})
