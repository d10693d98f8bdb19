// Brings the section around this script to life; `section.viewer` is there for the console.

{
  const section = document.currentScript.closest(".body-viewer");
  const begin = () => {
    try {
      section.viewer = new Viewer(section);
    } catch (error) {
      section.querySelector(".message").textContent = `The 3D view does not start: ${error.message}`;
      throw error;
    }
  };
  // The buttons of the people stand below this script.
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
}
