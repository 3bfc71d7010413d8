--- Values as a person wants to see them at the prompt.
-- Strings quoted, tables one level deep in a stable order, tensors as aligned rows; everything bounded.
-- @module core.show

local show = {}

local STRING_BYTES = 2000   -- of one string at the top level
local INNER_BYTES = 80      -- of a string inside a table
local ENTRIES = 40          -- of a table
local WHOLE_ELEMENTS = 1000 -- a tensor with more is elided
local EDGE = 3              -- head and tail of an elided dimension

local ESCAPES = {["\n"] = "\\n", ["\t"] = "\\t", ["\r"] = "\\r", ['"'] = '\\"', ["\\"] = "\\\\"}

local function escape(byte)
  return ESCAPES[byte] or ("\\x%02X"):format(byte:byte())
end

local function quote(text, bytes)
  local rest = #text - bytes
  if rest > 0 then text = text:sub(1, bytes) end
  local quoted = text:gsub('[%c"\\]', escape)
  if not utf8.len(text) then quoted = quoted:gsub("[\x80-\xff]", escape) end
  return ('"%s"%s'):format(quoted, rest > 0 and ("... %d more bytes"):format(rest) or "")
end

local function is_tensor(value)
  if type(value) ~= "userdata" then return false end
  local ok, yes = pcall(function() return value.shape and value.dtype and value.totable end)
  return ok and yes
end

local function safe_tostring(value)
  local ok, text = pcall(tostring, value)
  return ok and text or ("%s that cannot be shown: %s"):format(type(value), tostring(text))
end

-- Tables ---------------------------------------------------------------------------------------------

local function inner(value)
  if type(value) == "string" then return quote(value, INNER_BYTES) end
  if type(value) == "table" then
    local meta = getmetatable(value)
    if type(meta) == "table" and (meta.__tostring or meta.__name) then return safe_tostring(value) end
    return next(value) == nil and "{}" or "{...}"
  end
  return safe_tostring(value)
end

local RANK = {number = 1, string = 2, boolean = 3}

local function before(a, b)
  local ra, rb = RANK[type(a)] or 4, RANK[type(b)] or 4
  if ra ~= rb then return ra < rb end
  if ra <= 2 then return a < b end
  return safe_tostring(a) < safe_tostring(b)
end

local function key_text(key)
  if type(key) == "string" and key:find("^[%a_][%w_]*$") then return key end
  return "[" .. inner(key) .. "]"
end

local function table_text(value)
  local keys, out = {}, {}
  for key in next, value do keys[#keys + 1] = key end
  if #keys == 0 then return "{}" end
  table.sort(keys, before)
  for i = 1, math.min(#keys, ENTRIES) do
    local key = keys[i]
    local item = inner(rawget(value, key))
    out[i] = key == i and "  " .. item or ("  %s = %s"):format(key_text(key), item)
  end
  if #keys > ENTRIES then out[#out + 1] = ("  ... %d more"):format(#keys - ENTRIES) end
  return "{\n" .. table.concat(out, ",\n") .. "\n}"
end

-- Tensors --------------------------------------------------------------------------------------------

-- Which indices of a dimension are shown; false stands for the gap.
local function positions(size, elide)
  local out = {}
  local gap = elide and size > 2 * EDGE
  for i = 1, size do
    if not gap or i <= EDGE or i > size - EDGE then
      out[#out + 1] = i
    elseif i == EDGE + 1 then
      out[#out + 1] = false
    end
  end
  return out
end

-- One format for all numbers, from those that are shown.
local function number_format(numbers)
  local largest, smallest, whole = 0, math.huge, true
  for _, x in ipairs(numbers) do
    local a = math.abs(x)
    if a == a and a < math.huge and a > 0 then
      largest, smallest = math.max(largest, a), math.min(smallest, a)
      whole = whole and a == math.floor(a)
    end
  end
  local style
  if whole and largest < 1e9 then
    style = "%.0f"
  elseif largest >= 1e6 or smallest < 1e-4 and largest < 1e-2 then
    style = "%.4e"
  else
    style = largest >= 1000 and "%.2f" or "%.4f"
  end
  return function(x)
    if x ~= x then return "nan" end
    if x == math.huge then return "inf" end
    if x == -math.huge then return "-inf" end
    return (style:format(x):gsub("^%-(0%.?0*)$", "%1")) -- a rounded -0.00001 is 0
  end
end

-- Rows of cells, right-aligned; middle columns give way when the row is wider than the terminal.
local function rows_text(rows, cell_width, width, indent)
  local fit = math.max(2 * EDGE + 1, (width - #indent) // (cell_width + 2))
  local lines = {}
  for i, row in ipairs(rows) do
    local cells = {}
    local cut = #row > fit
    local head = cut and fit // 2 or #row
    local tail = cut and #row - (fit - head - 1) + 1 or #row + 1
    for j, cell in ipairs(row) do
      if j <= head or j >= tail then
        cells[#cells + 1] = (" "):rep(cell_width - #cell) .. cell
      elseif j == head + 1 then
        cells[#cells + 1] = "..."
      end
    end
    lines[i] = indent .. table.concat(cells, "  ")
  end
  return lines
end

-- Lines of a vector: as many rows as its length needs.
local function wrap(cells, cell_width, width)
  local per_row = math.max(1, (width - 1) // (cell_width + 2))
  local rows = {}
  for i, cell in ipairs(cells) do
    if (i - 1) % per_row == 0 then rows[#rows + 1] = {} end
    table.insert(rows[#rows], cell)
  end
  return rows_text(rows, cell_width, math.huge, " ")
end

-- Every shown matrix: its indices in the leading dimensions, and its rows of numbers (false: a gap).
local function collect(read, shape, elide)
  local blocks, numbers = {}, {}
  local function row_of(prefix)
    local row = read(prefix, positions(shape[#shape], elide))
    for _, x in ipairs(row) do
      if x then numbers[#numbers + 1] = x end
    end
    return row
  end
  local function walk(prefix, dim)
    if dim >= #shape - 1 then
      local block = {prefix = table.move(prefix, 1, #prefix, 1, {}), rows = {}}
      if #shape == 1 then
        block.rows[1] = row_of(prefix)
      else
        for _, i in ipairs(positions(shape[dim], elide)) do
          prefix[dim] = i or nil
          block.rows[#block.rows + 1] = i and row_of(prefix) or false
          prefix[dim] = nil
        end
      end
      blocks[#blocks + 1] = block
      return
    end
    for _, i in ipairs(positions(shape[dim], elide)) do
      if i then
        prefix[dim] = i
        walk(prefix, dim + 1)
        prefix[dim] = nil
      else
        blocks[#blocks + 1] = false
      end
    end
  end
  walk({}, 1)
  return blocks, numbers
end

local function block_text(block, shape, format, cell_width, width)
  local rows = {}
  for i, row in ipairs(block.rows) do
    rows[i] = {}
    if row then
      for j, x in ipairs(row) do rows[i][j] = x and format(x) or "..." end
    else
      rows[i][1] = "..."
    end
  end
  local lines = #shape == 1 and wrap(rows[1], cell_width, width)
    or rows_text(rows, cell_width, width, " ")
  if #block.prefix > 0 then
    table.insert(lines, 1, ("[%s, :, :]"):format(table.concat(block.prefix, ", ")))
  end
  return table.concat(lines, "\n")
end

-- Reads rows out of a tensor that is small: all of it, once.
local function whole_reader(tensor)
  local values = tensor:totable()
  return function(prefix, wanted)
    local at, row = values, {}
    for _, i in ipairs(prefix) do at = at[i] end
    for j, i in ipairs(wanted) do row[j] = i and at[i] end
    return row
  end
end

-- Reads only what is shown of a large one.
local function edge_reader(tensor)
  local function part(row, start, length)
    local view <close> = row:slice(1, start, length)
    return view:totable()
  end
  return function(prefix, wanted)
    local row = tensor
    for _, i in ipairs(prefix) do row = row:select(1, i) end
    local last = wanted[#wanted]
    if last == #wanted then return row:totable() end
    local values = part(row, 1, EDGE)
    values[#values + 1] = false
    return table.move(part(row, last - EDGE + 1, EDGE), 1, EDGE, #values + 1, values)
  end
end

local function tensor_text(tensor, width)
  local shape = tensor:shape()
  local count = 1
  for _, size in ipairs(shape) do count = count * size end
  local header = tostring(tensor)
  if count == 0 then return header .. "\n (no elements)" end
  if #shape == 0 then
    local value = tensor:totable()
    return ("%s\n %s"):format(header, number_format{value}(value))
  end
  local elide = count > WHOLE_ELEMENTS
  local read = elide and edge_reader(tensor) or whole_reader(tensor)
  local blocks, numbers = collect(read, shape, elide)
  local format, cell_width = number_format(numbers), 0
  for _, x in ipairs(numbers) do cell_width = math.max(cell_width, #format(x)) end
  cell_width = math.max(cell_width, elide and 3 or 1)
  local out = {header}
  for _, block in ipairs(blocks) do
    out[#out + 1] = block and block_text(block, shape, format, cell_width, width) or "..."
  end
  return table.concat(out, "\n")
end

--- Any value as text without a line end.
-- @param value
-- @tparam[opt] table cfg width: columns to stay within, 80
-- @treturn string
function show.text(value, cfg)
  local width = cfg and cfg.width or 80
  if type(value) == "string" then return quote(value, STRING_BYTES) end
  if type(value) == "table" then
    local meta = getmetatable(value)
    if type(meta) == "table" and meta.__tostring then return safe_tostring(value) end
    return table_text(value)
  end
  if is_tensor(value) then
    local ok, text = pcall(tensor_text, value, width)
    return ok and text or ("%s\n (cannot be read: %s)"):format(safe_tostring(value), tostring(text))
  end
  return safe_tostring(value)
end

return show
