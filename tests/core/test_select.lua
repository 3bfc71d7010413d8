local check = require "check"
local select = require "core.select"

local T = {}

local NAMES = {"embed.0.weight", "logit.weight", "logit.bias", "core.att_lstm.weight_ih"}

function T.names_are_picked_exactly_by_their_beginning_or_by_a_lua_pattern()
  check.equal(select.pick(NAMES, "logit.bias"), {["logit.bias"] = true})
  check.equal(select.pick(NAMES, {"logit*"}), {["logit.bias"] = true, ["logit.weight"] = true})
  check.equal(select.pick(NAMES, {"re:weight$", "logit.bias"}),
              {["embed.0.weight"] = true, ["logit.weight"] = true, ["logit.bias"] = true})
  check.equal(select.pick(NAMES, {}), {})
end

function T.not_picks_what_a_pattern_does_not()
  check.equal(select.pick(NAMES, "not:logit*"), {["embed.0.weight"] = true, ["core.att_lstm.weight_ih"] = true})
  check.equal(select.pick(NAMES, "not:re:weight"), {["logit.bias"] = true})
  check.fails('"not:%*" matches nothing', select.pick, NAMES, "not:*")
end

function T.the_dot_of_a_name_is_a_dot()
  check.yes(not select.matches("logit.bias", "logitxbias"))
  check.yes(not select.matches("core.*", "corexatt"))
  check.yes(select.matches("re:logit.bias", "logitxbias"))
end

function T.a_pattern_without_a_match_is_refused()
  check.fails('"logit.bais" matches nothing; did you mean "logit.bias"?', select.pick, NAMES, "logit.bais")
  check.fails('"re:xyz" matches nothing; the names are embed.0.weight, ', select.pick, NAMES, {"re:xyz"})
  check.fails("there are no names", select.pick, {}, "a")
  check.fails('the pattern "re:%(" is malformed', select.pick, NAMES, "re:(")
  check.fails("a pattern must be a string, got a number", select.pick, NAMES, {5})
end

return T
