local closed = { completed = true, failed = true, cancelled = true }
local status = obj.status or {}

local actions = {}
actions["terminate"] = {
    ["disabled"] = obj.spec.terminate ~= nil or closed[status.phase] == true,
    ["displayName"] = "Terminate",
    ["iconClass"] = "fa fa-fw fa-stop-circle",
    ["params"] = {
        {
            ["name"] = "reason"
        }
    },
}
return actions
