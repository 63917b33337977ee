// Shows the text that a FaceFlow node returned (`ui.text`) on the node: what was found, saved or measured, and warnings.
import { app } from "../../scripts/app.js";

const NAME = "faceflow_text";
const LINE = 18; // pixels

function show(node, text) {
  let widget = node.widgets?.find((w) => w.name === NAME);
  if (!widget) {
    if (!text) return;
    const element = document.createElement("div");
    element.style.cssText =
      "box-sizing:border-box;padding:2px 8px;overflow:auto;white-space:pre-wrap;font-size:12px;line-height:18px;" +
      "color:var(--fg-color,#ddd);user-select:text";
    widget = node.addDOMWidget(NAME, "faceflow_text", element, {
      serialize: false, // neither in the prompt
      getMinHeight: () => LINE * Math.min(6, Math.max(2, widget.lines ?? 2)),
      getValue: () => element.textContent,
      setValue: (value) => {
        element.textContent = value;
      },
    });
    widget.serialize = false; // nor in the saved workflow, whose widget values go by position
    widget.lines = 2;
    widget.element = element;
  }
  // The page draws a preview from its widget down to the bottom of the node, over whatever comes after it.
  const preview = node.widgets.findIndex((w) => w.name?.startsWith("$$"));
  if (preview >= 0 && preview < node.widgets.indexOf(widget)) {
    node.widgets.splice(node.widgets.indexOf(widget), 1);
    node.widgets.splice(preview, 0, widget);
  }
  widget.element.textContent = text;
  const width = Math.max(20, (node.size[0] - 30) / 6.5); // letters in a line
  widget.lines = text.split("\n").reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / width)), 0);
  const [w, h] = node.computeSize();
  node.setSize([Math.max(node.size[0], w), Math.max(node.size[1], h)]);
  app.graph?.setDirtyCanvas?.(true, true);
}

app.registerExtension({
  name: "FaceFlow.Text",
  beforeRegisterNodeDef(nodeType, nodeData) {
    if (!nodeData.name?.startsWith("FaceFlow")) return;
    const before = nodeType.prototype.onExecuted;
    nodeType.prototype.onExecuted = function (output, ...rest) {
      before?.call(this, output, ...rest);
      show(this, (output?.text ?? []).join("\n"));
    };
  },
});
