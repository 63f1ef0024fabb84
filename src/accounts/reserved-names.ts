/** Names that would speak for the service or its operator, that read as a part of a URL, or as no name at all. */
const reserved = [
  ...['rookery', 'rookeryapp', 'rookerybot', 'rookeryteam', 'official', 'staff', 'team', 'system', 'server', 'service'],
  ...['admin', 'admins', 'administrator', 'root', 'superuser', 'sysadmin', 'sysop', 'operator', 'owner', 'hostmaster'],
  ...['webmaster', 'postmaster', 'mailerdaemon', 'daemon', 'moderator', 'moderators', 'mod', 'mods', 'noreply'],
  ...['support', 'help', 'helpdesk', 'contact', 'info', 'feedback', 'abuse', 'security', 'privacy', 'legal', 'terms'],
  ...['billing', 'payments', 'sales', 'press', 'status', 'news', 'blog', 'about', 'docs', 'documentation', 'faq'],
  ...[
    'api',
    'www',
    'ftp',
    'smtp',
    'imap',
    'localhost',
    'health',
    'metrics',
    'openapi',
    'wellknown',
    'static',
    'assets',
  ],
  ...['account', 'accounts', 'session', 'sessions', 'login', 'logout', 'signin', 'signout', 'signup', 'register'],
  ...[
    'password',
    'settings',
    'profile',
    'preferences',
    'notifications',
    'messages',
    'search',
    'explore',
    'home',
    'new',
  ],
  ...[
    'post',
    'posts',
    'reply',
    'replies',
    'reactions',
    'timeline',
    'stream',
    'pulse',
    'analytics',
    'activity',
    'export',
  ],
  ...['follow', 'followers', 'following', 'likes', 'dislikes', 'bookmarks', 'edit', 'delete', 'create', 'update'],
  ...['me', 'myself', 'you', 'everyone', 'all', 'here', 'anonymous', 'guest', 'user', 'username', 'deleted', 'unknown'],
  ...[
    'null',
    'nil',
    'none',
    'undefined',
    'nan',
    'true',
    'false',
    'void',
    'object',
    'constructor',
    'prototype',
    'proto',
  ],
]

const digits: Readonly<Record<string, string>> = { '0': 'o', '1': 'l', '3': 'e', '4': 'a', '5': 's', '7': 't' }

/** One form for all names that look the same: without case and underscores, and with digits and `i` read as letters. */
const looksLike = (name: string) =>
  name
    .toLowerCase()
    .replaceAll('_', '')
    .replace(/\d/g, (digit) => digits[digit] ?? digit)
    .replaceAll('i', 'l')

export function reservedNames(additions: readonly string[]): (username: string) => boolean {
  const names = new Set([...reserved, ...additions].map(looksLike))
  return (username) => names.has(looksLike(username))
}
