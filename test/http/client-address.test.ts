import t from 'tap'
import { addressKey, canonicalAddress, networkKey, networkKeys } from '../../src/http/client-address.ts'

t.test('addressKey: IPv4 by address, IPv6 by /64, IPv4-mapped IPv6 as IPv4', async (t) => {
  const keys: Record<string, string> = {
    '203.0.113.1': '203.0.113.1',
    '::ffff:203.0.113.1': '203.0.113.1',
    '::FFFF:203.0.113.1': '203.0.113.1',
    '::ffff:cb00:7101': '203.0.113.1',
    '0:0:0:0:0:ffff:cb00:7101': '203.0.113.1',
    '0000:0000:0000:0000:0000:ffff:203.0.113.1': '203.0.113.1',
    '::ffff:0:203.0.113.1': '0:0:0:0::/64',
    '::203.0.113.1': '0:0:0:0::/64',
    '::1': '0:0:0:0::/64',
    '::': '0:0:0:0::/64',
    '2001:db8::1': '2001:db8:0:0::/64',
    '2001:DB8:0:0:1:2:3:4': '2001:db8:0:0::/64',
    '2001:0db8:0000:0000::': '2001:db8:0:0::/64',
    '2001:db8:0:1::': '2001:db8:0:1::/64',
    '1:2:3:4:5:6:7:8': '1:2:3:4::/64',
    '1::8': '1:0:0:0::/64',
    'fe80::1%eth0': 'fe80:0:0:0::/64',
    'fe80::1%eth0.100': 'fe80:0:0:0::/64',
    'fe80::1%br-lan': 'fe80:0:0:0::/64',
    '::ffff:203.0.113.1%br-lan': '203.0.113.1',
  }
  for (const [address, key] of Object.entries(keys)) t.equal(addressKey(address), key, address)
})

t.test('6to4, NAT64 and IPv4-mapped addresses are keyed by the IPv4 address that they embed', async (t) => {
  for (const ip of ['2002:cb00:7101::1', '2002:cb00:7101:ffff:1:2:3:4', '64:ff9b::203.0.113.1', '64:FF9B::cb00:7101']) {
    t.equal(addressKey(ip), '203.0.113.1', ip)
    t.same(networkKeys(ip), ['203.0.113.0/24'], ip)
  }
  t.equal(addressKey('64:ff9b:1::203.0.113.1'), '64:ff9b:1:0::/64', 'a local NAT64 prefix can embed any address')
  t.equal(canonicalAddress('2002:cb00:7101::1'), '2002:cb00:7101::1', 'shown as it is')
})

t.test('networkKeys: the /48 and the /56', async (t) => {
  t.same(networkKeys('2001:db8:1:abcd::1'), ['2001:db8:1::/48', '2001:db8:1:ab00::/56'])
  t.same(networkKeys('2001:db8::1'), ['2001:db8:0::/48', '2001:db8:0:0::/56'])
  t.same(networkKeys('203.0.113.9'), ['203.0.113.0/24'])
})

t.test('networkKey: IPv6 by /48, IPv4 by /24', async (t) => {
  const keys: Record<string, string> = {
    '203.0.113.1': '203.0.113.0/24',
    '::ffff:203.0.113.1': '203.0.113.0/24',
    '::ffff:cb00:7101': '203.0.113.0/24',
    '2001:db8:1:2:3:4:5:6': '2001:db8:1::/48',
    '2001:db8:1:ffff::': '2001:db8:1::/48',
    '2001:DB8:0001::1%eth0': '2001:db8:1::/48',
    '2001:db8:2::': '2001:db8:2::/48',
    '2001:db8::1': '2001:db8:0::/48',
    '::1': '0:0:0::/48',
  }
  for (const [address, key] of Object.entries(keys)) t.equal(networkKey(address), key, address)
})

t.test('canonicalAddress: an IPv4-mapped IPv6 address is shown as IPv4', async (t) => {
  t.equal(canonicalAddress('::ffff:192.0.2.7'), '192.0.2.7')
  t.equal(canonicalAddress('::FFFF:C000:207'), '192.0.2.7')
  t.equal(canonicalAddress('fe80::1%br-lan'), 'fe80::1%br-lan', 'the zone stays')
  t.equal(canonicalAddress('::ffff:0.0.0.0'), '0.0.0.0')
  t.equal(canonicalAddress('::ffff:ffff:ffff'), '255.255.255.255')
  t.equal(canonicalAddress('192.0.2.7'), '192.0.2.7')
  t.equal(canonicalAddress('2001:db8::7'), '2001:db8::7')
})
