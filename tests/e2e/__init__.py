"""`make e2e`: the image, the chart and the demo's scenario in a kind cluster, and what pods go through in one."""
