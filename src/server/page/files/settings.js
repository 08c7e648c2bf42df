// Settings of this browser: sampling, system prompt, theme, whether the list is open.

const KEY = 'ringlet.settings';

/**
 * The sampling parameters: how the API calls them, what a person calls them, and their ranges.
 * @type {{name: string, label: string, min: number, max: number, step: number|'any', hint: string}[]}
 */
export const SAMPLING = [
  {name: 'temperature', label: 'Temperature', min: 0, max: 5, step: 'any',
   hint: '0 always takes the likeliest token'},
  {name: 'top_p', label: 'Top p', min: 0, max: 1, step: 'any',
   hint: 'likeliest tokens of this total probability'},
  {name: 'top_k', label: 'Top k', min: 0, max: 1000000, step: 1, hint: 'this many tokens; 0 is all'},
  {name: 'min_p', label: 'Min p', min: 0, max: 1, step: 'any',
   hint: 'probability relative to the likeliest'},
  {name: 'max_tokens', label: 'Max tokens', min: 1, max: 10000000, step: 1,
   hint: 'length of an answer at most'},
  {name: 'seed', label: 'Seed', min: 0, max: 4294967295, step: 1,
   hint: 'same seed, same answer'},
];

/** Whether the server would take `value`. */
export function isValid(parameter, value) {
  return typeof value === 'number' && value >= parameter.min && value <= parameter.max &&
         (parameter.step !== 1 || Number.isInteger(value));
}

/**
 * @typedef {object} Settings
 * @property {string} system
 * @property {Record<string, number>} sampling only what was chosen
 * @property {''|'on'|'off'} thinking
 */

/** @returns {Settings} */
export function loadSettings() {
  let stored = {};
  try {
    stored = JSON.parse(localStorage.getItem(KEY) ?? '{}') ?? {};
  } catch {
    // Damaged or forbidden: nothing was chosen.
  }
  /** @type {Settings} */
  const settings = {system: typeof stored.system === 'string' ? stored.system : '', sampling: {},
                    thinking: ['on', 'off'].includes(stored.thinking) ? stored.thinking : ''};
  for (const parameter of SAMPLING) {
    const value = stored.sampling?.[parameter.name];
    if (isValid(parameter, value)) settings.sampling[parameter.name] = value;
  }
  return settings;
}

/** @param {Settings} settings */
export function saveSettings(settings) {
  remember(KEY, JSON.stringify(settings));
}

/** @returns {'light'|'dark'} the theme that is shown from now on */
export function switchTheme() {
  const root = document.documentElement;
  const theme = root.dataset.theme === 'dark' ? 'light' : 'dark';
  root.dataset.theme = theme;
  remember('ringlet.theme', theme);
  return theme;
}

function remember(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Storage is full or forbidden: it holds until the page is closed.
  }
}
