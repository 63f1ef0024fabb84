export const help = `Usage: npx tsx bot [options]
       npx tsx bot compare a.json b.json
       npx tsx bot verify run.ledger
       npx tsx bot clean run.ledger [--url <url>] [--ca <file>] [--yes-really]
       npx tsx bot schema

Robots sign up, post, reply, follow, react, read their timelines and delete posts and accounts. Then the bot reads
everything back and compares it with what the server acknowledged. docs/bot.md says how to read its report.

  --url <url>        server, also with a path (default http://127.0.0.1:5000)
  --robots <n>       robots, 1 to 10000 (default 10); --users is the same
  --posts <n>        posts per robot, 0 to 1000 (default 5)
  --replies <n>      replies per robot, 0 to 1000 (default 3)
  --follows <n>      follows and unfollows per robot, 0 to 1000 (default 5)
  --reactions <n>    reactions per robot, 0 to 10000 (default 20)
  --deletions <n>    percentage of posts and of accounts to delete, 0 to 100 (default 10)
  --seed <n>         repeat the texts and actions of an earlier run, with names and passwords that follow from the seed
                     (default: random, printed, with random names and passwords)

  --for <time>       how long the robots act, as in 20s, 10m or 500ms, in place of the counts: a closed model
  --rate <n>         requests a second, 1 to 20000: an open model, arrivals on a clock
  --ramp <time>      how long the rate grows before the measured time begins (default 0s)
  --only <action>    one action alone, in an open model (default 100 a second for 20s): read-post, read-profile,
                     read-posts or read-timeline
  --silence <time>   end the run after so long without any answer (default 30s)
  --alone            no other account uses the server: what one does is a fault

  --faults           misbehave on purpose: cut connections, read answers slowly, send changes twice, use old cookies

  --expect <limit>   fail unless the figures keep it, as in "like p99<250ms", "rate>=100" or "read post errors<1%";
                     p50, p90, p99, max, rate, count or errors; can be repeated
  --json <file>      write the report as JSON, to standard output with - (all else then goes to standard error)
  --report <file>    write the report as one HTML page
  --ledger <file>    write the history into a new file as JSON lines, for verify; it holds no cookie and no password
  --config <file>    read options from a JSON object such as {"robots": 20, "expect": ["errors<1%"]}; flags win.
                     number_of_users, max_posts_per_user and max_likes_per_user mean --robots, --posts, --reactions
  --ca <file>        certificates, in PEM, of authorities to trust for https
  --yes-really       allow a server on another machine
  -h, --help         show this help
  --version          show the version

compare prints the ratios of two reports and says which differences are noise; verify judges the history of a ledger
again (0 it agrees, 1 it does not, 4 it holds nothing to compare); clean deletes the accounts that a run with --seed has
left (0 none is left, 1 some are); schema prints the JSON Schema of --json.

Exit code, the first that applies: 130, 143 or 129 after SIGINT, SIGTERM or SIGHUP; 2 invalid options, no server, or not
Rookery; 1 the ledger disagrees; 4 nothing can be said; 5 the figures are invalid; 3 an --expect is missed or an answer
is undocumented; 0 otherwise.
`
