// What pages do beside what they can without script: local times, showing a password, counting down,
// keeping lists up to date. No dependency, and nothing is kept.
'use strict';
(() => {
  const base = document.body.dataset.base;
  const lang = document.documentElement.lang;

  // Times in the reader's own zone.
  const local = new Intl.DateTimeFormat(lang, { dateStyle: 'medium', timeStyle: 'short' });
  const showTimes = (root) => {
    for (const time of root.querySelectorAll('time[datetime]')) {
      const at = new Date(time.dateTime);
      if (!Number.isNaN(at.getTime())) {
        time.title = time.textContent;
        time.textContent = local.format(at);
      }
    }
  };

  // A button that shows what was typed.
  for (const input of document.querySelectorAll('input[data-can-be-shown]')) {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'quiet shown';
    button.textContent = input.dataset.canBeShown;
    button.setAttribute('aria-controls', input.id);
    button.setAttribute('aria-pressed', 'false');
    button.addEventListener('click', () => {
      const hidden = input.type === 'password';
      input.type = hidden ? 'text' : 'password';
      button.setAttribute('aria-pressed', String(hidden));
    });
    input.after(button);
    // Whatever is sent is a password again, so that browsers offer to keep it.
    input.form.addEventListener('submit', () => { input.type = 'password'; });
  }

  // A second click sends nothing twice; a page that comes back from the cache can be sent again.
  document.addEventListener('submit', (event) => {
    const form = event.target;
    if (form.method !== 'post') return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = '1';
  });
  addEventListener('pageshow', () => {
    for (const form of document.querySelectorAll('form[data-sent]')) delete form.dataset.sent;
  });

  // What is wrong is read first.
  const problem = document.getElementById('problem');
  if (problem) problem.focus();

  // The seconds that are left.
  if (problem && problem.dataset.retryAfter) {
    const text = problem.querySelector('.wait');
    const end = Date.now() + problem.dataset.retryAfter * 1000;
    const pattern = text ? text.textContent : '';
    const tick = setInterval(() => {
      const left = Math.max(0, Math.ceil((end - Date.now()) / 1000));
      // Not read out every second.
      if (text) {
        text.setAttribute('aria-live', 'off');
        text.textContent = pattern.replace(/\d+/, left);
      }
      if (left === 0) clearInterval(tick);
    }, 1000);
  }

  const cookie = (name) => document.cookie.split('; ')
    .find((it) => it.startsWith(name + '='))?.slice(name.length + 1);
  const refresh = async () => {
    const csrf = cookie('__Host-csrf');
    if (!csrf) return false;
    const headers = { 'X-CSRF-Token': csrf };
    const answer = await fetch('/api/v1/auth/refresh', { method: 'POST', headers });
    return answer.ok;
  };

  // A link from elsewhere brings no refresh cookie; the page itself can.
  const resume = document.querySelector('form[data-resume]');
  if (resume && !problem && !resume.elements.again && cookie('__Host-csrf')) {
    refresh().then((ok) => { if (ok) location.reload(); }, () => {});
  }

  // Lists that are kept up to date while somebody is there: a page that is left alone does not keep its
  // session from going idle.
  const live = document.querySelectorAll('[data-live]');
  const EVERY = 5000;
  const THERE = 300000;
  const sent = new Map();
  const withoutTimes = (html) => html.replace(/<time[^>]*>[^<]*<\/time>/g, '');
  let lastSign = Date.now();
  let under = false;
  const update = async () => {
    if (under || document.hidden || Date.now() - lastSign > THERE) return;
    under = true;
    try {
      let answer = await fetch(location.pathname + location.search, { headers: { Accept: 'text/html' } });
      if (answer.redirected && await refresh()) {
        answer = await fetch(location.pathname + location.search, { headers: { Accept: 'text/html' } });
      }
      if (answer.redirected) {
        location.assign(answer.url);
      } else if (answer.ok) {
        exchange(new DOMParser().parseFromString(await answer.text(), 'text/html'));
      }
    } catch {
      // The network is away; the next look may find it.
    } finally {
      under = false;
    }
  };
  const exchange = (next) => {
    for (const region of live) {
      const fresh = next.getElementById(region.id);
      if (!fresh) continue;
      const asSent = fresh.innerHTML;
      if (withoutTimes(asSent) === withoutTimes(sent.get(region))) {
        // Nothing but times has changed: buttons stay under the finger that is on them.
        const times = fresh.querySelectorAll('time');
        region.querySelectorAll('time').forEach((time, n) => { time.replaceWith(times[n].cloneNode(true)); });
        showTimes(region);
        continue;
      }
      const focused = region.contains(document.activeElement) ? document.activeElement : null;
      const place = focused?.closest('[data-session]')?.dataset.session;
      const before = [...region.querySelectorAll('[data-session]')].map((it) => it.dataset.session).join();
      sent.set(region, asSent);
      region.replaceChildren(...document.adoptNode(fresh).childNodes);
      showTimes(region);
      const after = [...region.querySelectorAll('[data-session]')].map((it) => it.dataset.session).join();
      const status = document.getElementById('live-status');
      if (status && before !== after) status.textContent = status.dataset.changed;
      if (focused) {
        const same = [...region.querySelectorAll('[data-session]')].find((it) => it.dataset.session === place);
        (same?.querySelector('button') ?? document.getElementById('main')).focus();
      }
    }
  };
  if (live.length) {
    for (const region of live) sent.set(region, region.innerHTML);
    for (const sign of ['pointermove', 'pointerdown', 'keydown', 'focusin', 'scroll']) {
      addEventListener(sign, () => { lastSign = Date.now(); }, { passive: true });
    }
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) { lastSign = Date.now(); update(); }
    });
    setInterval(update, EVERY);
  }
  showTimes(document);
})();
