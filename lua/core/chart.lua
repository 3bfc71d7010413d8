--- Line charts as SVG: lines with markers and error bars, level lines, a legend.
--
-- Colours are those of Okabe and Ito 2008, "Color universal design", which colour-blind readers tell apart; markers
-- and dashes tell lines apart without colour. Nothing in a picture depends on time or place.
-- @module core.chart

local chart = {}

local COLOURS = {"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"}
local DASHES = {"", ' stroke-dasharray="8 4"', ' stroke-dasharray="2 3"', ' stroke-dasharray="8 3 2 3"'}
local LEVEL_DASHES = {"10 5", "4 4", "12 3 3 3"}
local INK, GRID, LEVEL = "#222222", "#dddddd", "#555555"
local WIDTH, HEIGHT = 600, 380 -- of the plot, in pixels
local LEFT, TOP, BOTTOM, GAP = 76, 52, 68, 24 -- around it
local SIZE, LARGE = 14, 17 -- of letters
local ROW, SWATCH = 24, 40 -- of the legend
local LETTERS = 44 -- of a label in the legend at most
local APART = 4 -- pixels between lines that would share a place

-- Text -----------------------------------------------------------------------------------------------

local ESCAPES = {["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;"}

-- What XML 1.0 allows, escaped.
local function escape(text)
  if not utf8.len(text) then text = text:gsub("[\x80-\xff]", "?") end
  text = text:gsub("[%z\1-\8\11\12\14-\31\127]", " "):gsub("\xef\xbf[\xbe\xbf]", "?")
  return (text:gsub("[&<>\"']", ESCAPES))
end

local function length(text)
  return utf8.len(text) or #text
end

local function cut(text)
  if length(text) <= LETTERS then return text end
  local last = utf8.offset(text, LETTERS) or LETTERS
  return text:sub(1, last - 1) .. "…"
end

-- About how wide a text is; no font is known here.
local function width_of(text, size)
  return 0.58 * size * length(text)
end

local function text_at(x, y, text, attributes)
  return ('<text x="%.1f" y="%.1f" %s>%s</text>'):format(x, y, attributes or "", escape(text))
end

-- Scales ---------------------------------------------------------------------------------------------

-- A range around values that is never empty.
local function range(values, pad)
  local low, high = math.huge, -math.huge
  for _, v in ipairs(values) do low, high = math.min(low, v), math.max(high, v) end
  if low > high then low, high = 0, 1 end
  local extra = high > low and pad * (high - low) or math.max(0.1 * math.abs(high), 0.1)
  return low - extra, high + extra
end

--- Round numbers that lie in a range.
-- @tparam number low
-- @tparam number high above low
-- @tparam integer most of them, about
-- @treturn table numbers
-- @treturn string a format for them
function chart.ticks(low, high, most)
  local rough = (high - low) / most
  local power = 10 ^ math.floor(math.log(rough, 10))
  local step = 10 * power
  for _, factor in ipairs {1, 2, 2.5, 5} do
    if factor * power >= rough then
      step = factor * power
      break
    end
  end
  local list, digits = {}, 0
  while digits < 9 and math.abs(step * 10 ^ digits - math.floor(step * 10 ^ digits + 0.5)) > 1e-6 do
    digits = digits + 1
  end
  for i = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) do list[#list + 1] = i * step end
  return list, ("%%.%df"):format(digits)
end

local function scales(picture)
  local xs, ys = {}, {}
  for _, tick in ipairs(picture.x.ticks) do xs[#xs + 1] = tick.at end
  for _, line in ipairs(picture.lines) do
    for _, p in ipairs(line.points) do
      xs[#xs + 1] = p.x
      ys[#ys + 1], ys[#ys + 2] = p.y - p.spread, p.y + p.spread
    end
  end
  for _, level in ipairs(picture.levels) do
    ys[#ys + 1], ys[#ys + 2] = level.y - level.spread, level.y + level.spread
  end
  local x0, x1 = range(xs, 0.06)
  local y0, y1 = range(ys, 0.06)
  return {
    y0 = y0, y1 = y1,
    x = function(v) return LEFT + (v - x0) / (x1 - x0) * WIDTH end,
    y = function(v) return TOP + (y1 - v) / (y1 - y0) * HEIGHT end,
  }
end

-- Parts ----------------------------------------------------------------------------------------------

local MARKERS = {
  '<circle r="5"/>',
  '<rect x="-4.6" y="-4.6" width="9.2" height="9.2"/>',
  '<path d="M0 -6.4L6.4 0L0 6.4L-6.4 0z"/>',
  '<path d="M0 -6L5.8 4.6L-5.8 4.6z"/>',
  '<path d="M0 6L5.8 -4.6L-5.8 -4.6z"/>',
  '<path d="M-2 -6h4v4h4v4h-4v4h-4v-4h-4v-4h4z"/>',
  '<path d="M0.0 -7.6L2.1 -2.9L7.2 -2.3L3.4 1.1L4.5 6.1L0.0 3.6L-4.5 6.1L-3.4 1.1L-7.2 -2.3L-2.1 -2.9z"/>',
}

local function style(i)
  return COLOURS[(i - 1) % #COLOURS + 1], DASHES[(i - 1) // #COLOURS % #DASHES + 1], MARKERS[(i - 1) % #MARKERS + 1]
end

local function marker(i, x, y)
  local colour, _, shape = style(i)
  return ('<g transform="translate(%.1f %.1f)" fill="%s" stroke="white" stroke-width="1">%s</g>'):format(x, y, colour,
    shape)
end

local function stroke(x0, y0, x1, y1, attributes)
  return ('<path d="M%.1f %.1fL%.1f %.1f" %s/>'):format(x0, y0, x1, y1, attributes)
end

local function draw_axes(out, picture, scale)
  local ticks, form = chart.ticks(scale.y0, scale.y1, 7)
  for _, v in ipairs(ticks) do
    out[#out + 1] = stroke(LEFT, scale.y(v), LEFT + WIDTH, scale.y(v), ('stroke="%s"'):format(GRID))
    out[#out + 1] = text_at(LEFT - 8, scale.y(v) + 5, form:format(v), 'text-anchor="end"')
  end
  local free, bottom = -math.huge, TOP + HEIGHT
  for _, tick in ipairs(picture.x.ticks) do
    local x, half = scale.x(tick.at), width_of(tick.text, SIZE) / 2
    out[#out + 1] = stroke(x, bottom, x, bottom + 5, ('stroke="%s"'):format(INK))
    if x - half > free then
      out[#out + 1] = text_at(x, bottom + 21, tick.text, 'text-anchor="middle"')
      free = x + half + 6
    end
  end
  out[#out + 1] = ('<path d="M%d %dV%dH%d" fill="none" stroke="%s"/>'):format(LEFT, TOP, bottom, LEFT + WIDTH, INK)
  out[#out + 1] = text_at(LEFT + WIDTH / 2, bottom + 50, picture.x.label, 'text-anchor="middle"')
  out[#out + 1] = text_at(0, 0, picture.y.label,
    ('text-anchor="middle" transform="translate(20 %.1f) rotate(-90)"'):format(TOP + HEIGHT / 2))
  out[#out + 1] = text_at(LEFT, 28, picture.title, ('font-size="%d" font-weight="bold"'):format(LARGE))
end

local function draw_levels(out, levels, scale)
  for i, level in ipairs(levels) do
    if level.spread > 0 then
      local high, low = scale.y(level.y + level.spread), scale.y(level.y - level.spread)
      out[#out + 1] = ('<rect x="%d" y="%.1f" width="%d" height="%.1f" fill="%s" opacity="0.1"/>'):format(LEFT, high,
        WIDTH, low - high, LEVEL)
    end
    out[#out + 1] = ("<g><title>%s</title>%s</g>"):format(escape(level.label),
      stroke(LEFT, scale.y(level.y), LEFT + WIDTH, scale.y(level.y), ('stroke="%s" stroke-width="2" '
        .. 'stroke-dasharray="%s"'):format(LEVEL, LEVEL_DASHES[(i - 1) % #LEVEL_DASHES + 1])))
  end
end

-- A line's points, error bars and markers; `shift` moves it sideways by some pixels.
local function draw_line(out, line, i, scale, shift)
  local colour, dash = style(i)
  local path, marks = {}, {}
  out[#out + 1] = ('<g stroke="%s" stroke-width="2" fill="none"><title>%s</title>'):format(colour, escape(line.label))
  for n, p in ipairs(line.points) do
    local x, y = scale.x(p.x) + shift, scale.y(p.y)
    path[n] = ("%s%.1f %.1f"):format(n == 1 and "M" or "L", x, y)
    marks[n] = marker(i, x, y)
    if p.spread > 0 then
      local high, low = scale.y(p.y + p.spread), scale.y(p.y - p.spread)
      out[#out + 1] = ('<path d="M%.1f %.1fh8m-4 0V%.1fm-4 0h8" stroke-width="1.2"/>'):format(x - 4, high, low)
    end
  end
  if #path > 0 then out[#out + 1] = ('<path d="%s"%s/>'):format(table.concat(path), dash) end
  out[#out + 1] = table.concat(marks) .. "</g>"
end

local function draw_legend(out, picture, x, y)
  local function label(text)
    out[#out + 1] = ("<g><title>%s</title>%s</g>"):format(escape(text), text_at(x + SWATCH + 8, y + 5, cut(text)))
    y = y + ROW
  end
  for i, line in ipairs(picture.lines) do
    local colour, dash = style(i)
    out[#out + 1] = stroke(x, y, x + SWATCH, y, ('stroke="%s" stroke-width="2"%s'):format(colour, dash))
    out[#out + 1] = marker(i, x + SWATCH / 2, y)
    label(line.label)
  end
  for i, level in ipairs(picture.levels) do
    out[#out + 1] = stroke(x, y, x + SWATCH, y, ('stroke="%s" stroke-width="2" stroke-dasharray="%s"'):format(LEVEL,
      LEVEL_DASHES[(i - 1) % #LEVEL_DASHES + 1]))
    label(level.label)
  end
end

local function legend_width(picture)
  local widest = 0
  for _, list in ipairs {picture.lines, picture.levels} do
    for _, item in ipairs(list) do widest = math.max(widest, width_of(cut(item.label), SIZE)) end
  end
  return SWATCH + 8 + widest + GAP
end

--- Draw a picture.
-- @tparam table picture title; x = {label, ticks = list of {at, text}}; y = {label}; lines = list of {label, points =
-- list of {x, y, spread (0: no error bar)}, in order}; levels = list of {label, y, spread}, drawn dashed from side to
-- side, the spread as a grey band. All numbers are finite
-- @treturn string an SVG document
function chart.svg(picture)
  local right = LEFT + WIDTH + GAP
  local width = math.ceil(math.max(right + legend_width(picture), LEFT + width_of(picture.title, LARGE) * 1.1 + GAP))
  local height = math.max(TOP + HEIGHT + BOTTOM, TOP + ROW * (#picture.lines + #picture.levels) + GAP)
  local scale, count = scales(picture), #picture.lines
  local out = {
    ('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="Helvetica, '
      .. 'Arial, \'DejaVu Sans\', sans-serif" font-size="%d" fill="%s" role="img">'):format(width, height, width,
      height, SIZE, INK),
    ("<title>%s</title>"):format(escape(picture.title)),
    ('<rect width="%d" height="%d" fill="white"/>'):format(width, height),
  }
  draw_axes(out, picture, scale)
  draw_levels(out, picture.levels, scale)
  local apart = math.min(APART, 24 / math.max(1, count))
  for i, line in ipairs(picture.lines) do draw_line(out, line, i, scale, (i - (count + 1) / 2) * apart) end
  draw_legend(out, picture, right, TOP + ROW / 2)
  out[#out + 1] = "</svg>\n"
  return table.concat(out, "\n")
end

return chart
