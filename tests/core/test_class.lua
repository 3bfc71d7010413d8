local check = require "check"
local class = require "core.class"

local T = {}

local function animals()
  local Animal = class("Animal")
  function Animal:init(name) self.name = name end
  function Animal:speak() return self.name .. " is silent" end
  function Animal:__tostring() return "animal " .. self.name end
  local Dog = class("Dog", Animal)
  function Dog:init(name)
    Animal.init(self, name)
    self.legs = 4
  end
  return Animal, Dog
end

function T.calling_a_class_makes_an_object_through_init()
  local _, Dog = animals()
  local rex = Dog("Rex")
  check.equal({rex.name, rex.legs}, {"Rex", 4})
end

function T.methods_and_metamethods_are_inherited()
  local _, Dog = animals()
  check.equal(Dog("Rex"):speak(), "Rex is silent")
  check.equal(tostring(Dog("Rex")), "animal Rex")
end

function T.a_child_does_not_change_its_parent()
  local Animal, Dog = animals()
  function Dog:speak() return self.name .. " barks" end
  check.equal(Animal("Cat"):speak(), "Cat is silent")
  check.equal(Dog("Rex"):speak(), "Rex barks")
end

function T.objects_know_their_classes()
  local Animal, Dog = animals()
  check.equal({Dog("Rex"):is(Dog), Dog("Rex"):is(Animal), Animal("Cat"):is(Dog)}, {true, true, false})
end

function T.a_parent_must_be_a_class()
  check.fails("parent of Dog is not a class", class, "Dog", {})
  check.fails("name must be a string, got a table", class, {})
end

return T
