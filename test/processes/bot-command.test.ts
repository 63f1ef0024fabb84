import t from 'tap'
import { readOptions } from '../../bot/options/options.ts'
import { browserUrl } from '../../src/http/public-origins.ts'
import { botCommand } from '../../src/processes/bot-command.ts'

const printed: Readonly<Record<string, string>> = {
  '127.0.0.1': 'npx tsx bot',
  '0.0.0.0': 'npx tsx bot',
  '::': 'npx tsx bot',
  '::1': "npx tsx bot --url 'http://[::1]:5000'",
  localhost: 'npx tsx bot --url http://localhost:5000',
  '192.0.2.7': 'npx tsx bot --url http://192.0.2.7:5000 --yes-really',
  'rookery.example': 'npx tsx bot --url http://rookery.example:5000 --yes-really',
}

for (const [host, command] of Object.entries(printed))
  t.test(`with HOST=${host} the start prints a command that the bot accepts`, async (t) => {
    t.equal(botCommand(browserUrl(host, 5000)), command)
    const args = command.replaceAll("'", '').split(' ').slice(3)
    t.match(readOptions(args), { options: { url: { origin: browserUrl(host, 5000) } } })
  })

t.test('the bot accepts a copied address, with its path', async (t) => {
  for (const copied of ['http://[::1]:5000/docs', 'http://[::1]:5000/?a=b#c', 'http://[0:0::1]:5000'])
    t.match(readOptions(['--url', copied]), { options: { url: { origin: 'http://[::1]:5000' } } })
})
