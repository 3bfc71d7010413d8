local check = require "check"
local lac = require "lac"

local T = {}

local normalise = lac.text.normalise

function T.compatibility_forms_become_plain_characters()
  check.equal(normalise("\u{ff46}\u{ff55}\u{fb01} \u{bd} \u{2167} \u{2026}"), "fufi 1\u{2044}2 VIII ...")
end

function T.marks_are_composed_with_their_letter()
  check.equal(normalise("e\u{301}"), "\u{e9}")
  check.equal(normalise("\u{1112}\u{1161}\u{11ab}"), "\u{d55c}")
end

function T.all_white_space_becomes_single_spaces_and_none_at_the_ends()
  check.equal(normalise("\u{a0} a\t\r\n\u{3000}b\u{200b}c\u{feff}\u{2581}d\u{2003} "), "a b c d")
end

function T.control_characters_vanish()
  check.equal(normalise("a\7b\x7f\u{8f}c"), "abc")
  check.equal(normalise("a\0b"), "a\0b")
end

function T.case_and_punctuation_stay()
  check.equal(normalise("A man's <unk>."), "A man's <unk>.")
end

function T.nothing_normalises_to_nothing()
  check.equal(normalise(""), "")
  check.equal(normalise("\t\n \u{200b}"), "")
end

function T.text_may_grow_eighteenfold()
  check.equal(utf8.len(normalise(("\u{fdfa}"):rep(1000))), 18000)
end

function T.what_is_not_utf8_is_refused_with_its_place()
  check.fails("not UTF%-8: byte 2 of 2 is 0xC3", normalise, "a\xc3")        -- cut short
  check.fails("byte 1 of 2 is 0xC0", normalise, "\xc0\x80")                 -- overlong
  check.fails("byte 3 of 5 is 0xED", normalise, "ab\xed\xa0\x80")           -- a surrogate
  check.fails("byte 1 of 4 is 0xF5", normalise, "\xf5\x80\x80\x80")         -- beyond U+10FFFF
  check.fails("bad argument", normalise, {})
end

return T
