// Elements without markup in strings: text never becomes HTML by accident, and the page's policy
// forbids inline handlers anyway.

/**
 * An element with attributes, `on...` listeners and children (null and false are left out).
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Node|string|null|false)} children
 * @returns {any}
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== false));
  return element;
}

/** @param {string} id @returns {any} */
export function byId(id) {
  return document.getElementById(id);
}

const SVG = 'http://www.w3.org/2000/svg';

/** An icon of the sprite in index.html. @param {string} name */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS(SVG, 'use');
  use.setAttribute('href', `#i-${name}`);
  svg.append(use);
  return svg;
}

/** A button that shows an icon only. @param {string} name @param {string} label */
export function iconButton(name, label, onclick, attributes = {}) {
  return el('button', {type: 'button', class: 'plain', 'aria-label': label, title: label, onclick,
                       ...attributes}, icon(name));
}

/** 12345 -> "12 345" with thin spaces. @param {number} value */
export function grouped(value) {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, '\u202f');
}

/** 12345 -> "12.3k". @param {number} value */
export function brief(value) {
  if (value < 1000) return String(Math.round(value));
  const [scaled, unit] = value < 999500 ? [value / 1000, 'k'] : [value / 1e6, 'M'];
  return (scaled < 100 ? scaled.toFixed(1).replace(/\.0$/, '') : scaled.toFixed(0)) + unit;
}

/** 75 -> "1 min 15 s". @param {number} seconds */
export function duration(seconds) {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
