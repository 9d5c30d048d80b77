local reason = actionParams["reason"]
if reason == nil or reason == "" then
    error("a reason is needed: it stands in the workflow's history", 0)
end

obj.spec.terminate = { reason = reason }
return obj
