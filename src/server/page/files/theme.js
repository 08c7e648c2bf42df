// Runs before the first paint, which is why it is no module: light or dark, from the choice that was
// made here or else from the system.
(() => {
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const chosen = () => {
    try {
      return localStorage.getItem('ringlet.theme');
    } catch {
      return null;  // storage is forbidden: the system's choice
    }
  };
  const apply = () => {
    const theme = chosen() ?? (dark.matches ? 'dark' : 'light');
    document.documentElement.dataset.theme = theme === 'dark' ? 'dark' : 'light';
  };
  dark.addEventListener('change', apply);
  window.addEventListener('storage', apply);
  apply();
})();
