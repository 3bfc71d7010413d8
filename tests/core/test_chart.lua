local chart = require "core.chart"
local check = require "check"

local T = {}

-- Whether a text is well-formed: every element is closed by its own name, and nothing is left unescaped.
local function check_xml(text)
  local open = {}
  for slash, name, rest in text:gmatch("<(/?)(%a+)([^<>]*)>") do
    if slash == "/" then
      check.equal(table.remove(open), name)
    elseif rest:sub(-1) ~= "/" then
      open[#open + 1] = name
    end
    local bare = rest:gsub('%s[%w:-]+="[^"<&]*"', ""):gsub("/$", "")
    check.yes(not bare:find("%S"), name .. rest)
  end
  check.equal(#open, 0)
  local words = text:gsub("<[^<>]*>", "")
  check.yes(not words:find("[<>]"), "a bracket is left")
  check.yes(not words:gsub("&%a+;", ""):gsub("&#%d+;", ""):find("&"), "an & is left")
end

local function picture(lines, levels)
  return {title = "T & t", x = {label = "x", ticks = {{at = 0, text = "a"}, {at = 1, text = "b"}}}, y = {label = "y"},
          lines = lines, levels = levels or {}}
end

local function line(label, y, spread)
  return {label = label, points = {{x = 0, y = y, spread = spread or 0}, {x = 1, y = y + 1, spread = spread or 0}}}
end

function T.a_chart_is_well_formed_whatever_the_labels_are()
  local text = chart.svg(picture({line("a<b & \"c\" 'd' > \1\xff", 1, 0.2), line(("é"):rep(100), 2)},
    {{label = "</svg>", y = 1, spread = 3}}))
  check_xml(text)
  check.yes(text:find("a&lt;b &amp; &quot;c&quot; &#39;d&#39; &gt;", 1, true))
  check.yes(utf8.len(text))
end

function T.lines_have_error_bars_only_where_there_is_a_spread()
  local with = chart.svg(picture {line("one", 1, 0.2)})
  local without = chart.svg(picture {line("one", 1, 0)})
  check.equal(select(2, with:gsub("h8m%-4 0V", "")), 2)
  check.equal(select(2, without:gsub("h8m%-4 0V", "")), 0)
end

function T.each_of_forty_lines_looks_different()
  local lines, seen, count = {}, {}, 0
  for i = 1, 40 do lines[i] = line("line " .. i, i) end
  local text = chart.svg(picture(lines))
  check_xml(text)
  for shape in text:gmatch('<g transform="translate%([%d.]+ [%d.]+%)" (fill=.-)</g>') do
    if not seen[shape] then seen[shape], count = true, count + 1 end
  end
  check.equal(count, 40)
end

function T.levels_are_dashed_from_side_to_side()
  local text = chart.svg(picture({line("a", 1)}, {{label = "dense", y = 1.5, spread = 0}}))
  check.yes(text:find("<title>dense</title><path d=\"M76.0 [%d.]+L676.0 [%d.]+\" stroke=\"#555555\" "
    .. 'stroke%-width="2" stroke%-dasharray'))
  check.equal(text:find("opacity"), nil)
  text = chart.svg(picture({line("a", 1)}, {{label = "dense", y = 1.5, spread = 0.2}})) -- y from 0.94 to 2.06
  local top, height = text:match('y="([%d.]+)" width="600" height="([%d.]+)" fill="#555555" opacity')
  check.close({tonumber(top), tonumber(height)}, {52 + 380 * 0.36 / 1.12, 380 * 0.4 / 1.12}, 0.06)
end

function T.a_chart_of_one_point_or_none_has_axes()
  check_xml(chart.svg(picture {{label = "one", points = {{x = 1, y = 0, spread = 0}}}}))
  local empty = picture {}
  empty.x.ticks = {}
  local text = chart.svg(empty)
  check_xml(text)
  check.yes(not text:find("nan") and not text:find("inf"), text)
end

function T.ticks_are_round_and_inside()
  local list, form = chart.ticks(0.13, 0.97, 7)
  check.close(list, {0.2, 0.4, 0.6, 0.8}, 1e-12)
  check.equal(form, "%.1f")
  check.close((chart.ticks(-1, 1, 4)), {-1, -0.5, 0, 0.5, 1}, 1e-12)
  local fine
  list, fine = chart.ticks(2.61, 2.72, 5)
  check.close(list, {2.625, 2.65, 2.675, 2.7}, 1e-12)
  check.equal(fine, "%.3f")
end

function T.names_of_ticks_that_would_overlap_are_left_out()
  local close = picture {line("a", 1)}
  close.x.ticks = {{at = 0, text = "97.5 %"}, {at = 0.01, text = "97.6 %"}, {at = 1, text = "99 %"}}
  local text = chart.svg(close)
  check.yes(text:find(">97.5 %", 1, true) and text:find(">99 %", 1, true))
  check.yes(not text:find(">97.6 %", 1, true))
end

return T
