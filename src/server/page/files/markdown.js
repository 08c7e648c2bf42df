// Markdown of a model, which is hostile: HTML in it is shown as text, what is left is sanitized, no
// image is loaded, links open elsewhere.

import {dressCode} from './code.js';
import {mathExtensions, setFormulas} from './math.js';
import {el} from './view/dom.js';

// The only HTML that is honoured: tags without attributes that tables and units are written with.
const HARMLESS = /^<(?:br ?\/?|\/?(?:sub|sup|kbd|mark|u|s|b|i|em|strong))>$/i;
const ABSOLUTE = /^(?:https?:\/\/|mailto:)/i;
const MAX_TEXT = 2000000;

const escapeHtml = (text) => text.replace(
    /[&<>"]/g, (c) => ({'&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;'})[c]);

/** Some addresses come with their "&" escaped: browsers read both. */
const inAttribute = (href) => href.replace(/["<>]/g, encodeURIComponent);

const renderer = {
  html: (html) => HARMLESS.test(html.trim()) ? html : escapeHtml(html),
  code: (code, info) => {
    const language = /^[\w+#.-]{1,30}/.exec(info ?? '')?.[0] ?? '';
    return `<pre><code class="language-${language}">${escapeHtml(code)}</code></pre>`;
  },
  // Text comes from marked escaped.
  image: (href, title, text) => ABSOLUTE.test(href ?? '')
      ? `<a href="${inAttribute(href)}">Image: ${text || inAttribute(href)}</a>` : `Image: ${text}`,
  link: (href, title, text) => ABSOLUTE.test(href ?? '')
      ? `<a href="${inAttribute(href)}">${text}</a>` : text,
  checkbox: (checked) => checked ? '\u2611 ' : '\u2610 ',
};

const CLEAN = {
  ALLOWED_TAGS: ['p', 'br', 'hr', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'ul', 'ol', 'li', 'blockquote',
                 'pre', 'code', 'span', 'table', 'thead', 'tbody', 'tr', 'th', 'td', 'strong', 'em',
                 'del', 'a', 'sub', 'sup', 'kbd', 'mark', 'u', 's', 'b', 'i'],
  ALLOWED_ATTR: ['href', 'class', 'align', 'start'],
  ALLOWED_URI_REGEXP: ABSOLUTE,
  ADD_URI_SAFE_ATTR: ['align', 'start'],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};

/** To be called once, before anything is rendered. */
export function setUpMarkdown() {
  marked.use({renderer, extensions: mathExtensions, gfm: true, headerIds: false, mangle: false});
}

/** @param {DocumentFragment} fragment */
function finish(fragment) {
  for (const link of fragment.querySelectorAll('a')) {
    link.target = '_blank';
    link.rel = 'noopener noreferrer nofollow';
    link.title = link.href;
  }
  for (const table of fragment.querySelectorAll('table')) {
    const frame = el('div', {class: 'table', tabindex: '0', role: 'region', 'aria-label': 'Table'});
    table.replaceWith(frame);
    frame.append(table);
  }
  setFormulas(fragment);
  dressCode(fragment);
}

/** One top-level token as an element. */
function block(token) {
  const node = el('div', {class: 'block'});
  try {
    const fragment = DOMPurify.sanitize(marked.parser([token]), CLEAN);
    finish(fragment);
    node.append(fragment);
  } catch {  // nested too deep for the parser
    node.append(el('p', {class: 'raw'}, token.raw));
  }
  return node;
}

function lex(text) {
  if (text.length > MAX_TEXT) return [{type: 'raw', raw: text}];
  try {
    return marked.lexer(text).filter((token) => token.type !== 'space');
  } catch {
    return [{type: 'raw', raw: text}];
  }
}

/**
 * An element that shows Markdown which grows. What is settled keeps its nodes, so that a selection,
 * a focus and the work of drawing it last.
 */
export class Markdown {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    this.text = '';
    /** @type {{raw: string, node: HTMLElement}[]} */
    this.blocks = [];
  }

  /** @param {string} text */
  update(text) {
    if (text === this.text) return;
    this.text = text;
    const tokens = lex(text);
    // A definition of links changes blocks whose own text did not.
    const same = tokens.some((token) => token.type === 'def') ? 0 : this.#settled(tokens);
    for (const {node} of this.blocks.splice(same)) node.remove();
    for (const token of tokens.slice(same)) {
      const entry = {raw: token.raw, node: block(token)};
      this.blocks.push(entry);
      this.root.append(entry.node);
    }
  }

  #settled(tokens) {
    let count = 0;
    while (count < this.blocks.length && count < tokens.length &&
           this.blocks[count].raw === tokens[count].raw) {
      ++count;
    }
    return count;
  }
}
