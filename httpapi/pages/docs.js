// Lets the reference be tried out against the server that serves it, and finds
// operations. Nothing is loaded from elsewhere, nothing is kept.
'use strict';
(() => {
  const key = document.getElementById('key');
  const shown = ['etag', 'idempotent-replayed', 'location', 'retry-after', 'x-request-id', 'content-type'];

  // guid is a random UUID, also where the page is not served over TLS.
  const guid = () => {
    const b = crypto.getRandomValues(new Uint8Array(16));
    b[6] = b[6] & 15 | 64;
    b[8] = b[8] & 63 | 128;
    const hex = [...b].map(x => x.toString(16).padStart(2, '0')).join('');
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  };
  const fill = text => text.replaceAll('{{$guid}}', guid);

  const request = form => {
    let path = form.dataset.path;
    const query = new URLSearchParams();
    const headers = {};
    if (key.value.trim()) headers.Authorization = 'Bearer ' + key.value.trim();
    for (const input of form.querySelectorAll('[data-in]')) {
      const value = input.value.trim(), name = input.name;
      if (input.dataset.in === 'path') path = path.replace('{' + name + '}', encodeURIComponent(value));
      else if (!value) continue;
      else if (input.dataset.in === 'header') headers[name] = value;
      else if (name.includes('<')) { // customAttributes.<key>, given as key=value
        const [attribute, ...rest] = value.split('=');
        query.append(name.replace(/<.*>/, attribute), rest.join('='));
      } else for (const one of input.dataset.repeated ? value.split(/\s+/) : [value]) query.append(name, one);
    }
    const body = form.querySelector('textarea');
    if (body) headers['Content-Type'] = 'application/json';
    if (query.size) path += '?' + query;
    return [path, {method: form.dataset.method, headers, body: body ? fill(body.value) : undefined, cache: 'no-store', redirect: 'error'}];
  };

  const pretty = (text, type) => {
    if (!type.includes('json')) return text;
    // Numbers stay as they are written: a balance may have more digits than JavaScript keeps.
    try { JSON.parse(text); } catch { return text; }
    let out = '', depth = 0, inText = false;
    for (let i = 0; i < text.length; i++) {
      const c = text[i];
      if (inText) {
        out += c;
        if (c === '\\') out += text[++i];
        else if (c === '"') inText = false;
      } else if (c === '"') { inText = true; out += c; }
      else if (c === '{' || c === '[') {
        const rest = text.slice(i + 1).trimStart();
        if (rest[0] === '}' || rest[0] === ']') { out += c + rest[0]; i = text.indexOf(rest[0], i); }
        else out += c + '\n' + '  '.repeat(++depth);
      } else if (c === '}' || c === ']') out += '\n' + '  '.repeat(--depth) + c;
      else if (c === ',') out += ',\n' + '  '.repeat(depth);
      else if (c === ':') out += ': ';
      else if (!/\s/.test(c)) out += c;
    }
    return out;
  };

  const show = (form, title, text, good) => {
    const output = form.querySelector('output');
    const head = document.createElement('strong'), body = document.createElement('pre');
    head.className = good ? 'good' : 'bad';
    head.textContent = title;
    body.textContent = text;
    body.tabIndex = 0;
    output.replaceChildren(head, body);
    return body;
  };

  // follow shows events as they come, until it is stopped; the last 200 lines.
  const follow = async (response, body, stop) => {
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    stop.signal.addEventListener('abort', () => reader.cancel());
    for (let part; !(part = await reader.read()).done;)
      body.textContent = (body.textContent + part.value).split('\n').slice(-200).join('\n');
  };

  const stops = new Map(); // of forms whose answer is awaited
  const send = async form => {
    const button = form.querySelector('button');
    if (stops.has(form)) { stops.get(form).abort(); return; }
    const stop = new AbortController();
    stops.set(form, stop);
    button.textContent = 'Stop';
    const begun = performance.now();
    try {
      const [path, init] = request(form);
      const response = await fetch(path, {...init, signal: stop.signal});
      const type = response.headers.get('content-type') ?? '';
      const lines = shown.filter(h => response.headers.has(h)).map(h => h + ': ' + response.headers.get(h));
      const title = () => `${response.status} ${response.statusText} in ${Math.round(performance.now() - begun)} ms`;
      const head = init.method + ' ' + path + '\n' + lines.join('\n') + '\n\n';
      if (type.startsWith('text/event-stream')) await follow(response, show(form, title(), head, true), stop);
      else { const text = await response.text(); show(form, title(), head + pretty(text, type), response.ok); }
    } catch (error) {
      if (!stop.signal.aborted) show(form, 'No answer', String(error), false);
    } finally {
      stops.delete(form);
      button.textContent = 'Send';
    }
  };

  for (const form of document.querySelectorAll('form.try'))
    form.addEventListener('submit', event => { event.preventDefault(); send(form); });

  // The address may name an operation or an entity: it is opened.
  const open = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target?.closest('[hidden]')) { filter.value = ''; find(); }
    if (target instanceof HTMLDetailsElement) { target.open = true; target.scrollIntoView(); }
  };

  const filter = document.getElementById('filter');
  const find = () => {
    const words = filter.value.toLowerCase().split(/\s+/);
    for (const item of document.querySelectorAll('details.operation'))
      item.hidden = !words.every(w => item.firstElementChild.textContent.toLowerCase().includes(w) || item.id.toLowerCase().includes(w));
    for (const section of document.querySelectorAll('section.operations'))
      section.hidden = !section.querySelector('details.operation:not([hidden])');
  };
  filter.addEventListener('input', find);
  addEventListener('hashchange', open);
  document.body.classList.add('live');
  open();
})();
