local check = require "check"
local suggest = require "core.suggest"

local T = {}

local NAMES = {"caption", "import", "info", "run"}

function T.a_swap_an_insertion_and_a_deletion_are_near()
  check.equal(suggest.nearest("rnu", NAMES), "run")
  check.equal(suggest.nearest("imporrt", NAMES), "import")
  check.equal(suggest.nearest("captin", NAMES), "caption")
end

function T.another_word_is_not_near()
  check.equal(suggest.nearest("zebra", NAMES), nil)
  check.equal(suggest.hint("zebra", NAMES), "")
  check.equal(suggest.nearest("run", {}), nil)
end

function T.case_is_half_a_mistake()
  check.equal(suggest.nearest("RUN", NAMES), nil)
  check.equal(suggest.nearest("Run", NAMES), "run")
end

function T.ties_go_to_the_first_in_order()
  check.equal(suggest.nearest("bat", {"rat", "cat"}), "cat")
end

function T.the_hint_reads_as_a_clause()
  check.equal(suggest.hint("Import", NAMES), '; did you mean "import"?')
end

return T
