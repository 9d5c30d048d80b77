local status = obj.status
local conditions = {}
if status ~= nil and status.observedGeneration == obj.metadata.generation then
    for _, condition in ipairs(status.conditions or {}) do
        conditions[condition.type] = condition
    end
end

local ready, conflict = conditions.Ready, conditions.NamespaceConflict
if conflict ~= nil and conflict.status == "True" then
    return { status = "Degraded", message = conflict.message }
end
if ready == nil then
    return { status = "Progressing", message = "the operator has not looked at this yet" }
end
if ready.status == "True" then
    return { status = "Healthy", message = ready.message }
end
if ready.status == "False" then
    return { status = "Degraded", message = ready.message }
end
return { status = "Progressing", message = ready.message }
