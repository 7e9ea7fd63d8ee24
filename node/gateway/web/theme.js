// Runs before the first paint, so that a chosen theme does not flash. Without a choice the system's theme holds.
const themeKey = 'chatx.theme';

function storedTheme() {
  try {
    return localStorage.getItem(themeKey);
  } catch {
    return null;  // Storage can be forbidden.
  }
}

function applyTheme(theme) {
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
}

function toggleTheme() {
  const system = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
  const theme = (document.documentElement.dataset.theme ?? system) === 'dark' ? 'light' : 'dark';
  applyTheme(theme);
  try {
    localStorage.setItem(themeKey, theme);
  } catch {
    // Then the choice lasts as long as the page.
  }
}

applyTheme(storedTheme());
addEventListener('DOMContentLoaded', () => document.getElementById('theme').addEventListener('click', toggleTheme));
