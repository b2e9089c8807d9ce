-- Links of a page of docs/ become links of the site: pages to NAME.html, pictures to images/, and other files of the tree to
-- source/PATH.html, which build.sh makes of the list in SITE_SOURCES.
local page = os.getenv("SITE_PAGE")
local sources = os.getenv("SITE_SOURCES")

-- The path of `target` from the top of the tree, as `page` means it.
local function resolve(target)
  local parts = {}
  for part in (page:gsub("[^/]*$", "") .. target):gmatch("[^/]+") do
    if part == ".." then
      table.remove(parts)
    elseif part ~= "." then
      parts[#parts + 1] = part
    end
  end
  return table.concat(parts, "/")
end

function Link(link)
  if link.target:match("^%a+:") or link.target:match("^#") then return nil end
  local target, fragment = link.target:match("^([^#]*)(.*)$")
  local path = resolve(target)
  if path == "docs/book/README.md" then
    link.target = "index.html" .. fragment
  elseif path:match("^docs/.*%.md$") or path == "CONTRIBUTING.md" then
    link.target = path:match("([^/]*)%.md$") .. ".html" .. fragment
  elseif path:match("%.png$") or path:match("%.svg$") then
    link.target = "images/" .. path:match("[^/]*$")
  else
    local list = assert(io.open(sources, "a"))
    list:write(path, "\n")
    list:close()
    link.target = "source/" .. path .. ".html" .. fragment
  end
  return link
end

function Image(image)
  image.src = "images/" .. image.src:match("[^/]*$")
  return image
end
