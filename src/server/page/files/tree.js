// Conversations as trees: an edit or another answer is a sibling, and `head` is the leaf of the
// branch that is shown.

/**
 * @typedef {{name: string, text: string, tokens: number|null}} Attachment
 *
 * @typedef {object} Message
 * @property {string} id
 * @property {string|null} parent
 * @property {'user'|'assistant'} role
 * @property {string} content
 * @property {Attachment[]} attachments
 * @property {string} reasoning
 * @property {number} reasoningMs
 * @property {string|null} finish why it ended ("stop", "length", "stopped"); null: not yet
 * @property {{message: string, advice: string}|null} error
 * @property {{prompt: number, completion: number, cached: number, promptMs: number|null,
 *             answerMs: number|null}|null} figures
 * @property {number} created
 *
 * @typedef {object} Conversation
 * @property {string} id
 * @property {string} title
 * @property {number} created
 * @property {number} updated
 * @property {Message[]} messages
 * @property {string|null} head
 */

/** Not crypto.randomUUID(), which is missing where the page came by plain HTTP. */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** @returns {Conversation} */
export function newConversation() {
  const now = Date.now();
  return {id: newId(), title: '', created: now, updated: now, messages: [], head: null};
}

/**
 * Adds a message below `parent` and shows it.
 * @param {Conversation} conversation
 * @param {string|null} parent
 * @param {Partial<Message> & {role: 'user'|'assistant'}} fields
 * @returns {Message}
 */
export function addMessage(conversation, parent, fields) {
  const message = {id: newId(), parent, content: '', attachments: [], reasoning: '', reasoningMs: 0,
                   finish: null, error: null, figures: null, created: Date.now(), ...fields};
  conversation.messages.push(message);
  conversation.head = message.id;
  conversation.updated = message.created;
  return message;
}

/** The messages that are shown, first to last. @param {Conversation} conversation @returns {Message[]} */
export function shown(conversation) {
  return pathTo(conversation, conversation.head);
}

/** @param {Conversation} conversation @param {string|null} id @returns {Message[]} */
export function pathTo(conversation, id) {
  const byId = new Map(conversation.messages.map((message) => [message.id, message]));
  const path = [];
  for (let message = byId.get(id); message; message = byId.get(message.parent)) path.push(message);
  return path.reverse();
}

/** The versions of a message, oldest first. @param {Conversation} conversation @param {Message} message */
export function versions(conversation, message) {
  return conversation.messages.filter((other) => other.parent === message.parent);
}

/** Shows the branch of `message`: its newest leaf. */
export function select(conversation, message) {
  let leaf = message;
  for (;;) {
    const next = conversation.messages.findLast((other) => other.parent === leaf.id);
    if (!next) break;
    leaf = next;
  }
  conversation.head = leaf.id;
}

/** A title from the first line of the first message. @param {Message} message */
export function titleFrom(message) {
  const line = message.content.trim().split('\n')[0].replace(/\s+/g, ' ')
      || message.attachments[0]?.name || 'New conversation';
  return line.length > 60 ? `${line.slice(0, 58).trimEnd()}\u2026` : line;
}

/** What the model reads of a user's message. @param {Message} message */
function withDocuments(message) {
  const documents = message.attachments.map(
      ({name, text}) => `<document name="${name.replace(/["<>\n]/g, '_')}">\n${text}\n</document>\n\n`);
  return documents.join('') + message.content;
}

/**
 * The messages for the API.
 * @param {Message[]} path
 * @param {string} system
 * @param {boolean} resume the last message is an answer to be continued
 */
export function toApi(path, system, resume) {
  const messages = path.map((message) => ({
    role: message.role,
    content: message.role === 'user' ? withDocuments(message) : message.content,
  }));
  const last = path.at(-1);
  if (resume && last.reasoning) messages.at(-1).reasoning_content = last.reasoning;
  if (system.trim()) messages.unshift({role: 'system', content: system});
  return messages;
}
