/** The page's style. Colours of lines keep 3:1 against the background in both themes. */
export const style = `
:root { color-scheme: light dark; --bg: #fbfaf8; --card: #fff; --text: #1d1f24; --dim: #5c6270; --rule: #dcdad5;
  --a: #1f6fb4; --b: #c2570c; --c: #7a3fb0; --good: #14713a; --bad: #b3261e; --good-bg: #e3f3e8; --bad-bg: #fbe7e5 }
@media (prefers-color-scheme: dark) { :root { --bg: #15171b; --card: #1e2127; --text: #e8e6e1; --dim: #a3a8b4; --rule: #363b45;
  --a: #6cb2f0; --b: #f0975a; --c: #c79bf0; --good: #7fd6a0; --bad: #ff9d94; --good-bg: #1a3325; --bad-bg: #40211f } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 1120px; padding: 24px 16px 64px; background: var(--bg); color: var(--text);
  font: 15px/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
h1 { font-size: 22px; margin: 0 } h2 { font-size: 16px; margin: 32px 0 8px } .table { margin-top: 12px }
p { margin: 4px 0 } .dim { color: var(--dim) }
.verdict { margin: 16px 0; padding: 12px 16px; border-radius: 8px; border-left: 5px solid }
.neutral { border-color: var(--dim); background: var(--card) } .good { border-color: var(--good); background: var(--good-bg) } .bad { border-color: var(--bad); background: var(--bad-bg) }
.verdict strong { display: block; font-size: 17px }
.numbers { display: grid; grid-template-columns: repeat(auto-fit, minmax(max(140px, 22%), 1fr)); gap: 8px; margin: 16px 0; padding: 0 }
.numbers div { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 8px 12px }
dt { color: var(--dim); font-size: 13px } dd { margin: 0 } .numbers dd { font-size: 20px; font-variant-numeric: tabular-nums }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); gap: 12px }
figure { margin: 0; background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 10px 12px; min-width: 0 }
figcaption { font-weight: 600; font-size: 14px; display: flex; flex-wrap: wrap; gap: 4px 14px; margin-bottom: 6px }
.key { font-weight: 400; display: flex; gap: 12px } .key span::before { content: ''; display: inline-block; width: 12px; height: 3px;
  border-radius: 2px; background: currentColor; margin-right: 5px; vertical-align: middle }
.key .a { color: var(--a) } .key .b { color: var(--b) } .key .c { color: var(--c) } .key .bad { color: var(--bad); background: none }
svg { width: 100%; height: auto; display: block } .table { overflow-x: auto }
.grid { stroke: var(--rule); stroke-width: 1 } .tick { fill: var(--dim); font-size: 12px } .label { fill: var(--text); font-size: 13px }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round } .span { stroke: var(--rule); stroke-width: 3 }
.line.a { stroke: var(--a) } .line.b { stroke: var(--b) } .line.c { stroke: var(--c) } .line.bad { stroke: var(--bad) }
.dot.a { fill: var(--a) } .dot.b { fill: var(--b) } .dot.c { fill: var(--c) }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; background: var(--card) }
th, td { text-align: right; padding: 5px 10px; border-bottom: 1px solid var(--rule); white-space: nowrap }
th { color: var(--dim); font-weight: 600; font-size: 13px } th:first-child, td:first-child { text-align: left }
tr.total td { font-weight: 600 }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px } li { margin: 2px 0 } ul { padding-left: 20px }
figure.wide svg { max-width: 760px } table.texts :is(th, td) { text-align: left; white-space: normal } table.texts :is(th, td):last-child { white-space: nowrap }
.charts + p { margin-top: 12px }
@media (max-width: 560px) { .tick { font-size: 18px } .label { font-size: 19px } .facts { grid-template-columns: 1fr } .facts dd { margin-bottom: 6px } th, td { padding: 5px 7px } }
@media print { body { max-width: none } figure, .numbers div { break-inside: avoid } }
`
