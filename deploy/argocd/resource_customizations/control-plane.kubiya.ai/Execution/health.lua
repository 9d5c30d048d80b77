-- Healthy: the Execution is what was asked for. How its workflow ended is no matter of health: the message says it.
local status = obj.status
if status == nil or status.observedGeneration ~= obj.metadata.generation then
    return { status = "Progressing", message = "the operator has not looked at this yet" }
end

local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
    conditions[condition.type] = condition
end

local function holds(kind)
    return conditions[kind] ~= nil and conditions[kind].status == "True"
end

if holds("Reconciling") then
    return { status = "Progressing", message = conditions.Reconciling.message }
end
if holds("Stalled") then
    return { status = "Degraded", message = conditions.Stalled.message }
end
if status.phase == "paused" then
    return { status = "Suspended", message = "the workflow is paused" }
end
if holds("Finished") then
    return { status = "Healthy", message = status.phase .. ": " .. conditions.Finished.message }
end
return { status = "Healthy", message = status.phase }
