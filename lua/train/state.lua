--- The state of a training run inside a model file: a tree of numbers, texts and tensors.
--
-- Tensors become datasets state/<path in the tree>, everything else one JSON text, state/tree.
-- @module train.state
local lac = require "lac"

local state = {}

local TREE = "state/tree"

-- A copy of the tree for JSON, with {tensor = path} in the place of every tensor, which goes to `found`.
local function strip(value, path, found)
  if type(value) == "userdata" then
    found[#found + 1] = {path = path, tensor = value}
    return {tensor = path}
  end
  if type(value) ~= "table" then return value end
  local out = {}
  for key, item in pairs(value) do out[key] = strip(item, path .. "/" .. key, found) end
  return out
end

--- Write a tree into a file that is being written.
-- @tparam lac.hdf5.writer file
-- @tparam table tree of tables, numbers, texts, booleans and tensors
function state.write(file, tree)
  local found = {}
  local bare = strip(tree, "state", found)
  for _, item in ipairs(found) do file:write(item.path, item.tensor) end
  file:write_text(TREE, lac.json.encode(bare))
end

local function restore(value, file)
  if type(value) ~= "table" then return value end
  if type(value.tensor) == "string" then return file:read(value.tensor) end
  local out = {}
  for key, item in pairs(value) do out[key] = restore(item, file) end
  return out
end

--- Read the tree back; its tensors belong to the current tape or scope.
-- @tparam string path
-- @treturn ?table nil where the file has none
function state.read(path)
  local file <close> = lac.hdf5.open(path)
  if not file:has(TREE) then return nil end
  local good, tree = pcall(lac.json.decode, file:text(TREE))
  if not good or type(tree) ~= "table" then
    error(("%s: the state of training in it is not readable: %s"):format(path, tostring(tree)), 0)
  end
  return restore(tree, file)
end

return state
