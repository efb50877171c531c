"""Paths that attack a scope of `docs/` and `README.md`, and paths that are good within it."""

from __future__ import annotations

ATTACKS: dict[str, list[str]] = {
    "segments": [
        "", ".", "..", "/", "./", "../", "docs/", "docs//x.md", "docs/./x.md", "./docs/x.md",
        "docs/../x.md", "docs/../.git/config", "docs/../../etc/passwd", "../docs/x.md",
        "docs/..", "docs/.", "docs/x/../../src/main.py", "docs/x.md/", "docs/x.md/.", "docs///",
        "docs/...", "docs/....//x.md", "docs/.. /x.md", "docs/ ../x.md",
    ],
    "absolute": [
        "/etc/passwd", "/docs/x.md", "//docs/x.md", "///docs/x.md", "C:/docs/x.md",
        "C:\\docs\\x.md", "c:docs/x.md", "C:", "\\\\server\\share\\docs\\x.md",
        "//server/share/docs/x.md", "\\\\?\\C:\\docs\\x.md", "\\\\.\\C:\\x", "//?/C:/docs/x.md",
        "\\docs\\x.md", "\\??\\C:\\x", "file:///etc/passwd", "file:docs/x.md",
        "\\\\?\\UNC\\server\\share", "\\\\.\\pipe\\x", "\\\\?\\GLOBALROOT\\Device\\x",
    ],
    "backslashes": [
        "docs\\x.md", "docs\\..\\x.md", "docs/..\\x.md", "docs\\../x.md", "docs/x\\y.md",
        "docs/x.md\\", "docs\\..\\.git\\hooks\\pre-commit", "..\\docs\\x.md", "docs/\\x.md",
    ],
    "control": [
        "docs/x\0.md", "docs/x.md\0", "\0docs/x.md", "docs/x\n.md", "docs/x.md\r", "docs/\tx.md",
        "docs/x\x1b[2J.md", "docs/x\x7f.md", "docs/x\x85.md", "docs/\x01", "docs/x\u2028y.md",
        "docs/x\u2029y.md", "docs/\udcff.md", "docs/\udc80\udc80", "docs/\ue000.md",
        "docs/\U000e0041.md", "docs/\ufffe.md",
    ],
    "unseen": [
        "docs/\u200bx.md", "docs/x\u200c.md", "docs/x\u200d.md", "docs/\ufeffx.md",
        "docs/\u202egnp.md", "docs/\u2066x\u2069.md", "docs/x\u00ad.md", "docs/x\u2060.md",
        "docs/\u061cx.md", "docs/x\u034f.md", "docs/\u3164.md", "docs/x\ufe0f.md",
        "docs/\u2800.md", "docs/x\u00a0y.md", "docs/x\u3000y.md", "docs/\u180ex.md",
        "\u200edocs/x.md", "README\u200b.md",
    ],
    "unicode": [
        "docs/u\u0308ber.md", "docs/e\u0301.md", "docs\uff0fx.md", "docs/\uff0e\uff0e/x.md",
        "docs/\u2024\u2024/x.md", "docs/\u2025/x.md", "docs/\u2026/x.md", "docs\u2215x.md",
        "docs\u2044x.md", "docs/x\u2216y.md", "docs/\uff41.md", "docs/\ufb01le.md", "docs/x².md",
        "docs/\u212aelvin.md", "docs/\u0338x.md", "docs/r\u0435adme.md", "docs/p\u0430ge.md",
        "docs/\u13aabc.md", "docs/\u03bf\u006fx.md", "docs/x\ua789y.md", "docs/\u017fx.md",
        "docs/\ufe64x.md", "docs/x\u29f8y.md", "docs/\u3002\u3002/x.md",
        "docs/x\u20e5y.md", "docs\ufe68x.md",
    ],
    "meaning": [
        "~", "~/docs/x.md", "~root/x", "docs/~", "docs/x.md~", "docs/PROGRA~1/x.md", "$HOME/x.md",
        "docs/$HOME.md", "docs/${HOME}.md", "docs/$(id).md", "docs/`id`.md", "%TEMP%/x.md",
        "docs/%TEMP%.md", "docs/%2e%2e/x.md", "docs/%2e%2e%2fx.md", "docs%2fx.md",
        "docs/%c0%ae%c0%ae/x.md", "docs/%252e%252e/x.md", "docs/*.md", "docs/**", "docs/?.md",
        "docs/[a].md", "docs/{a,b}.md", "docs/a|b.md", "docs/a>b.md", "docs/<a.md",
        "docs/a\"b.md", "docs/a;b.md", "!docs/x.md", "-docs/x.md", "--help",
    ],
    "streams": [
        "docs/x.md:hidden", "docs/x.md::$DATA", "docs:x.md", "docs/x.md:", "docs/:x.md",
        "docs::$INDEX_ALLOCATION/x.md", "README.md:ads.exe",
    ],
    "endings": [
        "docs/x.md.", "docs/x.md ", "docs/x.md..", "docs./x.md", "docs /x.md", "docs/ x.md",
        " docs/x.md", "README.md.", "README.md ", "docs/x. ", "docs/x .",
    ],
    "devices": [
        "docs/CON", "docs/con", "docs/PRN", "docs/AUX", "docs/aux.md", "docs/NUL", "docs/nul.txt",
        "docs/nul.tar.gz", "docs/COM1", "docs/com9.md", "docs/COM0", "docs/LPT1.md", "docs/lpt9",
        "docs/COM¹", "docs/COM².txt", "docs/LPT³", "docs/CONIN$", "docs/CONOUT$", "docs/CLOCK$",
        "docs/nul/x.md", "docs/NUL .md", "docs/Con.x/y.md", "docs/\uff43on",
    ],
    "git": [
        ".git", ".git/config", ".git/hooks/pre-commit", "docs/.git", "docs/.git/config",
        "docs/.GIT/config", "docs/.Git/x", "docs/.gIt", "docs/git~1", "docs/GIT~1/config",
        "docs/git~2", "docs/.git./config", "docs/.git /config", "docs/.git. . /x", "docs/.git::$x",
        "docs/.git::$INDEX_ALLOCATION/config", "docs/.g\u200cit/config", "docs/.\u200dgit",
        "docs/\ufeff.git", "docs/.git\u200b", "docs/.g\u0131t", "docs/.g\u0130t", "docs/.g\u0456t",
        "docs/\u2024git/config", "docs/\uff0egit/config", "docs/.\uff47it", "docs/.\u0261it",
        "docs\\.git\\config", "docs/.g\u00adit", "docs/.gi\u202et", "docs/.g\u2170t",
    ],
    "long": [
        f"docs/{'a' * 256}", f"docs/{'ü' * 128}", f"docs/{'a/' * 600}x", f"docs/{'d/' * 70}x.md",
        f"docs/{'/'.join(['a' * 100] * 11)}",
    ],
    "outside": [
        "src/x.py", "docs", "docsx/x.md", "docs.md", "Docs/x.md", "DOCS/x.md", "readme.md",
        "README.md.bak", "README.mdx", "xREADME.md", "src/docs/x.md", "src/README.md", "etc/passwd",
    ],
    "protected": [
        "config/phase_policy.yaml", ".github/workflows/ci.yml", ".GitHub/Workflows/ci.yml",
        ".autonomous_runs/audit.jsonl", ".env", "autopack.db", ".ci/run", ".gitmodules",
    ],
}  # fmt: skip
"""By kind; none of them may be written."""

GOOD = [
    "README.md", "docs/a.md", "docs/a/b.md", "docs/a/b/c/d/e/f.md", "docs/INDEX.md", "docs/x",
    "docs/.gitignore", "docs/.gitkeep", "docs/.gitattributes", "docs/.hidden", "docs/.github/x.md",
    "docs/a.b.c.md", "docs/a-b_c.md", "docs/a+b.md", "docs/a b.md", "docs/a, b.md", "docs/a=b.md",
    "docs/a@b.md", "docs/@types/x.d.ts", "docs/(group)/page.md", "docs/it's.md", "docs/R&D.md",
    "docs/#1.md", "docs/a!b.md", "docs/a^b.md", "docs/1.md", "docs/2026-01-31.md", "docs/v1.2.3.md",
    "docs/..a.md", "docs/a..b.md", "docs/...a", "docs/_x.md", "docs/-x.md", "docs/x-.md",
    "docs/console.md", "docs/auxiliary.md", "docs/null.md", "docs/com.md", "docs/com10.md",
    "docs/lpt.md", "docs/nulls/x.md", "docs/xcon.md", "docs/git.md", "docs/git/x.md",
    "docs/agit/x.md", "docs/x.git/y.md", "docs/gitx", "docs/.gitx", "docs/.gi/t.md",
    "docs/über.md", "docs/é.md", "docs/naïve café.md", "docs/日本語.md", "docs/файл.md",
    "docs/русский текст.md", "docs/ελληνικά.md", "docs/한국어.md", "docs/हिन्दी.md", "docs/עברית.md",
    "docs/العربية.md", "docs/ไทย.md", "docs/🚀.md", "docs/a–b.md", "docs/Makefile",
    "docs/x.tar.gz", "docs/UPPER/lower.MD", f"docs/{'a' * 255}", f"docs/{'a/' * 60}x.md",
    f"docs/{'ü' * 127}", "docs/c#/x.md", "docs/C++/x.md", "docs/a_",
]  # fmt: skip
"""Paths that people have; all of them may be written."""

SCOPE = ("docs/", "README.md")
