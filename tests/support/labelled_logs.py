"""Made-up logs in the styles of many systems, each line with the template that it was made from.

`{kind}` is a variable of that kind. Some templates have many, some none; some differ in one word
only, some are seen once, some hold lists of any length.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from string import Formatter
from typing import NamedTuple

Draw = Callable[[random.Random], object]
_NAMES = [
    "alice",
    "bob",
    "carol",
    "dave",
    "erin",
    "frank",
    "grace",
    "heidi",
    "ivan",
    "judy",
    "mallory",
    "niaj",
    "olivia",
    "peggy",
    "rupert",
    "sybil",
    "trent",
    "victor",
    "wendy",
    "zoe",
]
_PARTS = [
    "report",
    "invoice",
    "draft",
    "cache",
    "index",
    "shard",
    "ledger",
    "photo",
    "video",
    "backup",
    "session",
    "queue",
]
_CITIES = ["oslo", "lima", "cairo", "quito", "sofia", "tunis", "dakar", "hanoi", "seoul", "minsk"]


def _ip(r: random.Random) -> str:
    return f"10.{r.randint(0, 255)}.{r.randint(0, 255)}.{r.randint(1, 254)}"


def _hex(r: random.Random, digits: int) -> str:
    return f"{r.getrandbits(4 * digits):0{digits}x}"


def _path(r: random.Random) -> str:
    return "/" + "/".join(r.choice(_PARTS) for _ in range(r.randint(2, 5)))


def _uuid(r: random.Random) -> str:
    return "-".join(_hex(r, n) for n in (8, 4, 4, 4, 12))


def _clock(r: random.Random) -> str:
    return f"{r.randint(0, 23):02}:{r.randint(0, 59):02}:{r.randint(0, 59):02}"


def _many(r: random.Random, make: Draw, between: str = " ", least: int = 1) -> str:
    return between.join(str(make(r)) for _ in range(r.randint(least, 6)))


def _host(r: random.Random) -> str:
    return f"{r.choice(_CITIES)}-{r.randint(1, 40)}.example.net"


def _date(r: random.Random) -> str:
    day, month = (
        r.choice(["Mon", "Tue", "Wed", "Thu", "Fri"]),
        r.choice(["Jan", "Apr", "Jun", "Oct", "Dec"]),
    )
    return f"{day} {month} {r.randint(10, 28)} {_clock(r)} 2031"


def _package(r: random.Random) -> str:
    return f"org.{r.choice(_CITIES)}.{r.choice(_PARTS)}.{r.choice(_NAMES).title()}Activity"


VARIABLES: dict[str, Draw] = {
    "n": lambda r: r.randint(0, 9999),
    "minus": lambda r: r.randint(-99, 99),
    "big": lambda r: r.randint(10**9, 10**15),
    "float": lambda r: round(r.random() * 100, 3),
    "percent": lambda r: f"{r.randint(1, 99)}%",
    "hex": lambda r: f"0x{_hex(r, 8)}",
    "bare": lambda r: _hex(r, 8),
    "digest": lambda r: _hex(r, 40),
    "uuid": _uuid,
    "ip": _ip,
    "ipp": lambda r: f"{_ip(r)}:{r.randint(1024, 65535)}",
    "mac": lambda r: ":".join(_hex(r, 2) for _ in range(6)),
    "host": _host,
    "site": lambda r: f"{r.choice(_NAMES)}.{r.choice(_CITIES)}.example:{r.randint(80, 9000)}",
    "path": _path,
    "file": lambda r: f"{_path(r)}/part-{r.randint(0, 99999):05}.{r.choice(('log', 'csv'))}",
    "windows": lambda r: "C:\\" + _path(r)[1:].replace("/", "\\") + ".dll",
    "url": lambda r: f"https://{_host(r)}{_path(r)}?q={r.choice(_NAMES)}",
    "mail": lambda r: f"{r.choice(_NAMES)}@{r.choice(_CITIES)}.example",
    "name": lambda r: r.choice(_NAMES),
    "city": lambda r: r.choice(_CITIES),
    "package": _package,
    "size": lambda r: f"{r.randint(1, 999)}.{r.randint(0, 9)} {r.choice(('B', 'KB', 'MB'))}",
    "time": lambda r: r.choice((f"{r.randint(1, 99)} ms", f"{r.randint(1, 9)}.5 s")),
    "life": lambda r: r.choice(("<1 sec", f"00:{r.randint(10, 59)}", _clock(r))),
    "clock": _clock,
    "date": _date,
    "bool": lambda r: r.choice(("true", "false")),
    "id": lambda r: f"task_{r.randint(10**9, 10**10)}_{r.randint(0, 9999):04}_m_{r.randint(0, 9)}",
    "block": lambda r: f"blk_{r.randint(-(10**18), 10**18)}",
    "ips": lambda r: _many(r, _ip, ", "),
    "numbers": lambda r: _many(r, lambda q: q.randint(0, 9000)),
    "blocks": lambda r: _many(r, lambda q: f"blk_{q.randint(1, 10**12)}"),
    "gaps": lambda r: _many(r, lambda q: q.choice(("****", q.randint(3000, 4000))), least=4),
    "glued": lambda r: f"rack{r.randint(1, 9)}cell{r.randint(1, 99)}",
}

STYLES: dict[str, str] = {
    "blocks": """
Storing block {block} src: /{ipp} dest: /{ipp}
Storing block {block} of size {n} from /{ip}
Responder {n} for block {block} ending
STORE* Names.add: map updated: {ipp} has {block} size {n}
STORE* ask {ipp} to delete {blocks}
STORE* Names.allocate: {file}. {block}
{ipp}:Got exception while serving {block} to /{ip}:
Check of {block} succeeded""",
    "tasks": """
Progress of attempt {id} is : {float}
{id} Task moved from NEW to READY
{id} Task moved from READY to RUNNING
{id} Task moved from RUNNING to DONE
Retrying server: {host}:{n}. Tried {n} time(s); policy is Fixed(max={n}, sleep={n} MILLISECONDS)
Address changed. Old: {host}/{ipp} New: {host}:{n}
After plan: Pending:{n} Maps:{n} Reds:{n} done:{n}
Before plan: Pending:{n} Maps:{n} Reds:{n} done:{n}
Registering type {package} for its handler
Recalculating, headroom=<memory:{n}, cores:{minus}>
ERROR IN CONTACTING THE MASTER.
Lease of [Client_BATCH_{n}_{n}] not renewed for {n} seconds. Will retry""",
    "memory": """
Found block part_{n}_{n} locally
Block cast_{n} kept as values in memory (size {size}, free {size})
Block cast_{n} kept as bytes in memory (size {size}, free {size})
Running task {float} in stage {float} (TID {n})
Finished task {float} in stage {float} (TID {n}). {n} bytes sent to driver
Input split: hdfs://{ipp}{path}:{n}+{n}
job.id is old. Instead, use batch.job.id
task.id is old. Instead, use batch.task.id
task.map is old. Instead, use batch.task.map
Times: total = {n}, boot = {minus}, init = {n}, finish = {n}
Started service 'workerSystem' on port {n}.
Reading cast {n} took {time}""",
    "quorum": """
Received request /{ipp}
Notice time out: {n}
Connection broken for id {big}, my id = {n}, error =
Interrupting SendWorker
Interrupting ReceiveWorker
New session {hex} with timeout {n} for client /{ipp}
Closed socket for client /{ipp} which had session {hex}
Closed socket for client /{ipp} (no session)
Expiring session {hex}, timeout of {n}ms exceeded
Notice: {n} (leader), {hex} (zxid), {n} (round), LOOKING (state)
Keeper exception for session:{hex} type:create cxid:{hex} path:{path} Error:Exists""",
    "cluster": """
cache parity error corrected
generating core.{n}
{n} alignment exceptions
{n} floating point exceptions
unit interrupt: fp unavailable......{n}
unit interrupt: fp enabled......{n}
prefetch depth....................{n}
prefetch limit....................{n}
iar {bare} dear {bare}
lr:{bare} cr:{bare} xer:{bare} ctr:{bare}
r{n}={hex} r{n}={hex} r{n}={hex} r{n}={hex}
iod: LOGIN chdir({path}) failed: No such file or directory
iod: Error loading {path}: invalid image, No such file or directory
chip status changed: {mac} ip={ip} v={n} t={n} status=M {date}
CE sym {n}, at {hex}, mask {hex}
{n} errors (dcr {hex}) found and corrected""",
    "supply": """
ambient={n}
Fan speeds ( {gaps} )
Temperature ({n}C) above limit
Unit node-{n} sees a network on {ip} via interface ee{n}
Change: Component \\042{glued}\\042 is unavailable (HW={n})
Link error on tree Connect-{n}T{n}:{n}:{n}:{n}
Link is ok
Link is in reset
boot (command {n}) Error: timed out
halt (command {n}) Error: timed out
Command has been aborted
Command has ended well
Targeting nodes:node-[{n}-{n}] child of command {n}""",
    "syslog": """
session opened for user {name} by (uid={n})
session closed for user {name}
check pass; user unknown
login failure; logname= uid={n} euid={n} tty=NODE ruser= rhost={host}
login failure; logname= uid={n} euid={n} tty=NODE ruser= rhost={ip} user={name}
connection from {ip} ({host}) at {date}
connection from {ip} () at {date}
ANONYMOUS FTP LOGIN FROM {ip}, (anonymous)
DISCOVER from {mac} via eth{n}
DISCOVER from {mac} via eth{n}: network A: no free leases
rotate: ALERT exited with [{n}]
synchronized to {ip}, stratum {n}
creating node '/udev/vcs{n}'
removing node '/udev/vcs{n}'
cupsd startup succeeded
sshd startup succeeded
Memory: {n}k/{n}k available ({n}k code, {n}k reserved)""",
    "servicing": """
Loaded Stack v{n}.{n} with Core: {windows}
SQM: Initializing with opt-in: False
SQM: Failed to start upload with pattern: {windows}, flags: {hex} [RESULT = {hex} - E_FAIL]
SQM: Queued {n} file(s) with pattern: {windows}, flags: {hex}
Session: {n}_{big} initialized by client Agent.
Session: {n}_{big} initialized by client Installer.
Cached applicability: Package_for_KB{n}~{bare}~amd64~~{n}.{n}, State: {n}, Current:{n}
Expecting attribute name [RESULT = {hex} - INVALID_ITEM]
Next element failed [RESULT = {hex} - INVALID_ITEM]
Starting finalization.
Ending finalization.
Reboot mark refs: {n}""",
    "phone": """
acquire lock={n}, flags={hex}, tag="View Lock", name={package}, ws=null, uid={n}, pid={n}
release lock={n}, flg={hex}, tag="View Lock", name={package}, ws=null, uid={n}
ready={bool},policy={n},wake={n},summary={hex},boot={bool},adj={float}userId={n}
Skipping Window{{{bare} token=Token{{{bare} Record{{{bare} u{n} {package} t{n}}}}}}} -- going
Freezing app = Token{{{bare} Record{{{bare} u{n} {package}}}}}, drawn= {bool}, moved =  {bool}
setVisibility vis={n} mask={n} old={bare} new={bare} bounds=Rect({n}, {n} - {n}, {n})
cleanUp -- {n}
cleanUp, reset pid: {n}, euid: {n}
light In ={n}
light Out ={n}
Destroying Surface(name={package}) called by com.system.Animator.destroy:{n}
playSound effect: {n}""",
    "steps": """
onStand {n}
onExtend:{big} {n} {n} {n}
getTodayTotal = {big}##{n}##{n}##{n}
setTodayTotal={big}##{n}##{n}
REPORT : {n} {n} {n} {n}
action: system.intent.SCREEN_ON
action: system.intent.SCREEN_OFF
flush data
calories={n}
altitude={n}""",
    "server": """
init() Found child {n} in slot {n}
init() Can't find child {n} in slot
env.init() ok {path}/workers.conf
child env in error state {n}
[client {ip}] Index forbidden by rule: {path}/
child init {n} {minus}""",
    "proxy": """
{site} open through proxy {site} HTTPS
{site} open through proxy {site} SOCKS
{site} close, {n} bytes sent, {n} bytes received, lifetime {life}
{site} close, {n} bytes ({size}) sent, {n} bytes received, lifetime {life}
{site} close, {n} bytes sent, {n} bytes ({size}) received, lifetime {life}
{site} error : Could not connect through proxy {site} - status code {n}
{site} error : Could not connect to proxy {site} - failed with error {n}""",
    "shell": """
Failed password for {name} from {ip} port {n} ssh2
Failed password for invalid user {name} from {ip} port {n} ssh2
Invalid user {name} from {ip}
Connection closed by {ip} [preauth]
Received disconnect from {ip}: {n}: Bye Bye [preauth]
Received disconnect from {ip}: {n}: Closed due to user request. [preauth]
PAM {n} more authentication failures; logname= uid={n} euid={n} tty=ssh ruser= rhost={ip}
message repeated {n} times: [ Failed password for {name} from {ip} port {n} ssh2]
reverse mapping for {host} [{ip}] failed - POSSIBLE ATTEMPT!
Accepted password for {name} from {ip} port {n} ssh2
Too many authentication failures for {name} [preauth]""",
    "compute": """
{ip} "GET /v2/{uuid}/servers/detail HTTP/1.1" status: {n} len: {n} time: {float}
{ip} "POST /v2/{uuid}/events HTTP/1.1" status: {n} len: {n} time: {float}
{ip} "DELETE /v2/{uuid}/servers/{uuid} HTTP/1.1" status: {n} len: {n} time: {float}
[instance: {uuid}] VM Started (Lifecycle Event)
[instance: {uuid}] VM Stopped (Lifecycle Event)
[instance: {uuid}] Took {float} seconds to build.
[instance: {uuid}] Claim: memory {n} MB, disk {n} GB
image {uuid} at ({path}/{digest}): checking
image {uuid} at ({path}/{digest}): in use: on this node {n} local
Active files: {path}/{digest}
Creating event plugged:{uuid} for instance {uuid}
During sync the instance has a pending task (spawning). Skip.""",
    "laptop": """
ARPT: {float}: wl{n}: keepalive: local port {n}, remote port {n}
en{n}: BSSID changed to {mac}
PM response took {n} ms ({n}, {name}d)
Unexpected payload found for message {n}, data len {n}
Cocoa error {n} for {mail} at {url}
hibernate image path: {path}
com.{city}.helper: scheduler started
**** [Host][Wake] -- power state {n}
Bad query from {name} in {path}: {n} rows""",
    "builder": """
Phase {glued} failed on attempt {n}/{n}: budget {n} tokens
Phase {glued} done in {time}, {percent} of budget
run {uuid}: HTTP {n} for {url}
patch for {file} did not apply at line {n}
no such table: phases
no such table: runs
model {name} refused: prompt of {n} tokens exceeds {n}
wrote {n} files ({size}) to {path}
hosts seen: {ips}
retry in {time}: {ipp} closed the connection""",
    "mail": """
{bare}: from=<{mail}>, size={n}, nrcpt={n} (queue active)
{bare}: to=<{mail}>, relay={host}[{ip}]:{n}, delay={float}, status=sent ({n} ok)
{bare}: to=<{mail}>, relay=none, delay={float}, status=deferred (timed out)
{bare}: removed
connect from {host}[{ip}]
disconnect from {host}[{ip}]
warning: {ip}: hostname {host} verification failed""",
    "broker": """
[Partition {city}-{n} broker={n}] Log loaded with start {n} and end {n}
[Partition {city}-{n} broker={n}] Shrinking ISR from {n} to {n}
Member consumer-{n}-{uuid} in group {name} has left
Group {name} with generation {n} is now empty
Preparing to rebalance group {name} in state PreparingRebalance with old generation {n}
Deleted segment files {path}/{big}.index, {path}/{big}.log
Replica {n} is {percent} behind: {numbers}""",
}


class Line(NamedTuple):
    """A log line and the number of the template that it was made from."""

    text: str
    label: int


def make(style: str, lines: int = 2000, seed: int = 1) -> list[Line]:
    """Return lines of a style: few templates are frequent, most are rare, as logs are."""
    r = random.Random(f"{style} {seed}")
    templates = STYLES[style].strip().split("\n")
    ranks = r.sample(range(1, len(templates) + 1), len(templates))
    labels = r.choices(range(len(templates)), [1 / rank for rank in ranks], k=lines)
    return [Line(_fill(templates[label], r), label) for label in labels]


def _fill(template: str, r: random.Random) -> str:
    pieces = Formatter().parse(template)
    return "".join(text + (str(VARIABLES[kind](r)) if kind else "") for text, kind, *_ in pieces)


def grouping_accuracy(labels: Sequence[int], found: Sequence[str]) -> float:
    """Return the share of lines whose group holds exactly the lines of its label."""
    by_label: dict[int, set[int]] = defaultdict(set)
    by_found: dict[str, set[int]] = defaultdict(set)
    for n, (label, group) in enumerate(zip(labels, found, strict=True)):
        by_label[label].add(n)
        by_found[group].add(n)
    right = sum(len(group) for group in by_found.values() if group == by_label[labels[min(group)]])
    return right / len(labels)
