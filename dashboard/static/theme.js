// The theme is set before the page is drawn: auto is the system's own.
(function () {
  "use strict";
  var theme = null;
  try { theme = localStorage.getItem("towpath-theme"); } catch (e) { /* storage is off */ }
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
})();
