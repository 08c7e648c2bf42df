// Mathematics in Markdown: extensions for marked that set formulas apart before anything else reads
// them, and KaTeX for what they leave.

const MAX_FORMULA = 20000;
const DISPLAY = /^ {0,3}(?:\$\$([^]+?)\$\$|\\\[([^]+?)\\\])[ \t]*(?:\n|$)/;
// A dollar sign opens before anything but space and closes after anything but space, and not before
// a digit: "$5 and $10" is money.
const INLINE = new RegExp([
  String.raw`^\$\$([^]+?)\$\$`, String.raw`^\\\[([^]+?)\\\]`, String.raw`^\\\(([^]+?)\\\)`,
  String.raw`^\$(?![\s$])((?:\\[^]|[^\\$\n` + '`' + String.raw`])*?(?:\\[^]|[^\\$\s` + '`' +
      String.raw`]))\$(?![\d$])`,
].join('|'));

const escapeHtml = (text) => text.replace(
    /[&<>"]/g, (c) => ({'&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;'})[c]);

const render = ({tex, display}) =>
    `<span class="math-${display ? 'display' : 'inline'}">${escapeHtml(tex)}</span>`;

export const mathExtensions = [
  {
    name: 'displayMath', level: 'block', renderer: render,
    start: (source) => {
      const match = /(?:^|\n) {0,3}(?:\$\$|\\\[)/.exec(source);
      return match ? match.index + (match[0][0] === '\n' ? 1 : 0) : undefined;
    },
    tokenizer: (source) => {
      const match = DISPLAY.exec(source.slice(0, MAX_FORMULA));
      if (!match) return undefined;
      return {type: 'displayMath', raw: match[0], tex: (match[1] ?? match[2]).trim(), display: true};
    },
  },
  {
    name: 'inlineMath', level: 'inline', renderer: render,
    start: (source) => {
      const index = source.search(/\$|\\[([]/);
      return index < 0 ? undefined : index;
    },
    tokenizer: (source) => {
      const match = INLINE.exec(source.slice(0, MAX_FORMULA));
      if (!match) return undefined;
      const display = match[1] ?? match[2];
      return {type: 'inlineMath', raw: match[0], tex: (display ?? match[3] ?? match[4]).trim(),
              display: display !== undefined};
    },
  },
];

// Nothing that reaches outside (trust), bounded macros and sizes: formulas come from the model.
const OPTIONS = {throwOnError: false, trust: false, strict: 'ignore', maxSize: 20, maxExpand: 500,
                 output: 'htmlAndMathml', errorColor: 'inherit'};

/** Sets the formulas below `root`. @param {Element|DocumentFragment} root */
export function setFormulas(root) {
  for (const span of root.querySelectorAll('.math-inline, .math-display')) {
    const tex = span.textContent;
    try {
      katex.render(tex, span, {...OPTIONS, displayMode: span.classList.contains('math-display')});
    } catch {
      span.textContent = tex;
    }
  }
}
