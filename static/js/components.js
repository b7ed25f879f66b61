// data-component="name" -> a chunk whose default export is `(element) => unmount function or nothing`.
const components = {
  chart: () => import("./chart.js"),
  editor: () => import("./editor/editor.js"),
  viewer: () => import("./editor/viewer.js"),
  passkey: () => import("./passkey.js"),
  topology: () => import("./topology/topology.js"),
};

const mounted = new WeakMap();

export function mount(root) {
  if (!root?.querySelectorAll) return;
  const found = [...root.querySelectorAll("[data-component]")];
  if (root.matches?.("[data-component]")) found.unshift(root);
  for (const element of found) {
    if (mounted.has(element)) {
      mounted.get(element).update?.();
      continue;
    }
    const load = components[element.dataset.component];
    if (!load) continue;
    const life = {};
    mounted.set(element, life);
    load().then(({ default: start }) => {
      if (!element.isConnected) return;
      Object.assign(life, start(element) ?? {});
    });
  }
}

export function unmount(root) {
  const life = mounted.get(root);
  if (!life) return;
  life.stop?.();
  mounted.delete(root);
}
