// Who this tab is. ?name= wins, then what the tab was called before, then what this browser was called last; a first
// visit gets a guest name.
const nameKey = 'chatx.name';
const firstParts = 'amber brisk calm clear early fond keen mild north quiet swift warm'.split(' ');
const secondParts = 'badger crane falcon finch heron ibis lark lynx marten otter plover wren'.split(' ');

const pick = list => list[Math.floor(Math.random() * list.length)];

export function guestName() {
  return `${pick(firstParts)}-${pick(secondParts)}-${Math.floor(Math.random() * 90) + 10}`;
}

export function loadName() {
  const name = new URLSearchParams(location.search).get('name')?.trim() || stored() || guestName();
  store(name);
  return name;
}

export function saveName(name) {
  store(name);
  const url = new URL(location.href);
  if (!url.searchParams.has('name')) return;
  url.searchParams.set('name', name);
  history.replaceState(null, '', url);
}

// Storage can be forbidden; then a name lasts as long as its page.
function stored() {
  try {
    return sessionStorage.getItem(nameKey) || localStorage.getItem(nameKey);
  } catch {
    return null;
  }
}

function store(name) {
  try {
    sessionStorage.setItem(nameKey, name);
    localStorage.setItem(nameKey, name);
  } catch {
    return;
  }
}
