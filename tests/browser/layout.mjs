// What is measured in the page: these functions run there, so each stands alone.

/** The contrast of every visible text to what is behind it, as WCAG 2 computes it. */
export function contrasts() {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const over = (color, [red, green, blue]) => {
    canvas.fillStyle = `rgb(${red} ${green} ${blue})`;
    canvas.fillRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const canvasColor = over("Canvas", [255, 255, 255]);
  const background = (element) =>
    element ? over(getComputedStyle(element).backgroundColor, background(element.parentElement)) : canvasColor;
  const linear = (level) => (level <= 0.04045 * 255 ? level / 255 / 12.92 : ((level / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = ([red, green, blue]) => 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
  const hasText = (element) =>
    element.matches("input[type=file], select, option") || [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
  return [...document.querySelectorAll("body *")].filter((element) => element.checkVisibility() && hasText(element)).map((element) => {
    const behind = background(element);
    const [lighter, darker] = [luminance(behind), luminance(over(getComputedStyle(element).color, behind))].sort((a, b) => b - a);
    return { element: element.outerHTML.slice(0, 80), contrast: (lighter + 0.05) / (darker + 0.05) };
  });
}

/** What sticks out of the page's column, or out of the screen. */
export function outsideTheColumn() {
  const main = document.querySelector("main");
  const { paddingLeft, paddingRight } = getComputedStyle(main);
  const column = main.getBoundingClientRect();
  const [left, right] = [column.left + parseFloat(paddingLeft), column.right - parseFloat(paddingRight)];
  const isOutside = (element) => {
    const box = element.getBoundingClientRect();
    return box.width > 0 && (box.left < left - 0.5 || box.right > right + 0.5);
  };
  const outside = [...main.querySelectorAll("*")].filter((element) => element.checkVisibility() && isOutside(element));
  const found = outside.map((element) => element.outerHTML.slice(0, 80));
  return document.documentElement.scrollWidth > innerWidth ? [...found, "the page"] : found;
}
