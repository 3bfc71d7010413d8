--- Single inheritance.
--
--     local Linear = class("Linear", Module)
--     function Linear:init(cfg) Module.init(self, cfg) end
--     local layer = Linear{inputs = 3}
--
-- Metamethods are inherited as well, if the parent had them when the child was made.
-- @module core.class

local function construct(cls, ...)
  local object = setmetatable({}, cls)
  object:init(...)
  return object
end

local Object = {__name = "Object"}
Object.__index = Object

--- The default: no arguments are kept.
function Object.init()
end

--- True when the object's class is `cls` or descends from it.
-- @tparam table cls
-- @treturn boolean
function Object:is(cls)
  local mine = getmetatable(self)
  while mine do
    if mine == cls then return true end
    mine = mine.parent
  end
  return false
end

--- Make a class; calling it makes an object and runs `init`.
-- @tparam string name shown by tostring
-- @tparam[opt] table parent a class made by this function
-- @treturn table the class, which is also the metatable of its objects
local function class(name, parent)
  if type(name) ~= "string" then error("class: the name must be a string, got a " .. type(name), 2) end
  if parent ~= nil and (type(parent) ~= "table" or parent.__index ~= parent) then
    error(("class: the parent of %s is not a class"):format(name), 2)
  end
  parent = parent or Object
  local cls = {}
  for key, value in pairs(parent) do
    if type(key) == "string" and key:sub(1, 2) == "__" then cls[key] = value end
  end
  cls.__index, cls.__name, cls.parent = cls, name, parent
  return setmetatable(cls, {__index = parent, __call = construct, __name = "class " .. name})
end

return class
