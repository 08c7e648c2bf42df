// The dialog with the settings: written to the settings as they are changed.

import {SAMPLING, isValid, saveSettings} from '../settings.js';
import {byId, el} from './dom.js';

/** @param {import('../settings.js').Settings} settings */
export function setUpSettings(settings) {
  const inputs = SAMPLING.map((parameter) => input(parameter, settings));
  byId('sampling').replaceChildren(...inputs.map(({label}) => label));
  const draw = () => {
    byId('set-system').value = settings.system;
    byId('set-thinking').value = settings.thinking;
    inputs.forEach(({draw: drawOne}) => drawOne());
    byId('settings-error').hidden = true;
  };
  byId('set-system').addEventListener('input', (event) => {
    settings.system = event.target.value;
    saveSettings(settings);
  });
  byId('set-thinking').addEventListener('change', (event) => {
    settings.thinking = event.target.value;
    saveSettings(settings);
  });
  byId('settings-reset').addEventListener('click', () => {
    Object.assign(settings, {system: '', sampling: {}, thinking: ''});
    saveSettings(settings);
    draw();
  });
  byId('open-settings').addEventListener('click', () => {
    draw();
    byId('settings').showModal();
  });
}

/** One number: what the server would refuse is said and not stored. */
function input(parameter, settings) {
  const {name, label, min, max, step, hint} = parameter;
  const field = el('input', {type: 'number', id: `set-${name}`, min, max, step, inputmode: 'decimal',
                             placeholder: 'default', 'aria-describedby': `hint-${name}`});
  field.addEventListener('input', () => {
    const value = field.valueAsNumber;
    const empty = field.value === '' && !field.validity.badInput;
    if (empty) delete settings.sampling[name];
    else if (isValid(parameter, value)) settings.sampling[name] = value;
    const good = empty || isValid(parameter, value);
    field.setAttribute('aria-invalid', String(!good));
    const error = byId('settings-error');
    error.hidden = good;
    error.textContent = good ? ''
        : `${label}: a${step === 1 ? ' whole' : ''} number from ${min} to ${max}.`;
    if (good) saveSettings(settings);
  });
  const draw = () => {
    field.value = settings.sampling[name] ?? '';
    field.setAttribute('aria-invalid', 'false');
  };
  return {label: el('label', {class: 'field'}, label, field,
                    el('small', {id: `hint-${name}`}, hint)), draw};
}
