import { z } from 'zod'

/** Of a path, less its brackets (RFC 5321, 4.5.3.1.3). */
const maxLength = 254

/**
 * A local part without quotes (RFC 5322, "dot-atom", less the rules about dots) and a host name. No comma, bracket, quote,
 * space, control or line break: in a header or a list of addresses they would mean something else.
 */
const form = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*$/

export const isEmailAddress = (text: string): boolean => text.length <= maxLength && form.test(text)

export const EmailAddress = z
  .string()
  .max(maxLength, `Must have at most ${maxLength} characters.`)
  .regex(form, 'Must be an e-mail address in ASCII, such as ann@mail.example.')
  .meta({ examples: ['ann@mail.example'] })

/**
 * What mails to an address are counted by. Hardly any server tells local parts apart by case, and most deliver `ann+post@` to
 * `ann@`: with a count for each, one mailbox would get any number of mails.
 */
export const mailboxOf = (address: string): string => address.toLowerCase().replace(/(?<!^)\+[^@]*@/, '@')
