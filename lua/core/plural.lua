--- Numbers of things as text: "1 image", "2 images".
-- @module core.plural

--- @tparam integer count
-- @tparam string thing one of them; s makes it many
-- @treturn string
return function(count, thing)
  return ("%d %s%s"):format(count, thing, count == 1 and "" or "s")
end
