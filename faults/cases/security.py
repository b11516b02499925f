"""What happens to identities: certificates, passwords, rights."""

from __future__ import annotations

import subprocess
from functools import partial

from faults.fault import fault
from faults.rig.authority import Authority
from faults.rig.rig import Rig
from gateway.broker.embedded import free_port


@fault("F28", "certificates expired, of another name or CA, rotated; a password revoked; a right taken away", scaled="25 s")
def identities(rig: Rig) -> None:
    authority = Authority(rig.folder / "tls")
    port, users, rights = free_port("127.0.0.1", 0), rig.folder / "users", rig.folder / "rights"
    authority.sign("broker", name="localhost")
    users.write_text("sluice:secret-canary-1\n")
    subprocess.run(["mosquitto_passwd", "-U", str(users)], check=True, capture_output=True)
    rights.write_text("topic readwrite #\nuser sluice\ntopic readwrite #\n")
    lines = [f"listener {port} 127.0.0.1", f"certfile {authority.folder}/broker.pem", f"keyfile {authority.folder}/broker.key"]
    broker = rig.broker(extra="\n".join([*lines, f"password_file {users}", f"acl_file {rights}"]))
    password = rig.folder / "password"
    password.write_text("secret-canary-1")
    access = {
        "url": f"mqtts://localhost:{port}",
        "username": "sluice",
        "password_file": str(password),
        "ca_file": str(authority.folder / "ca.pem"),
    }
    rig.settings["broker"] = access
    sluice = rig.sluice()
    sluice.start()
    rig.publish(rate=rig.length(200, 300), seconds=rig.length(25, 6))
    certificates = [
        ("expired", "expired", partial(authority.sign, name="localhost", days=-1)),
        ("for another name", "mismatch", partial(authority.sign, name="elsewhere")),
        ("of another authority", "unable to get", partial(authority.sign, name="localhost", other=True)),
    ]
    for name, word, sign in certificates[: round(rig.length(3, 1))]:
        sign("broker")
        broker.stop()
        broker.start()
        rig.wait(partial(_says, rig, word), f"a certificate that is {name} is refused, and said", 30)
        rig.note(f"{name}: {rig.status().get('link')}")
    authority.sign("broker", name="localhost")
    broker.stop()
    broker.start()
    rig.wait(sluice.connected, "a rotated certificate is taken", 60)
    users.write_text("sluice:secret-canary-2\n")
    subprocess.run(["mosquitto_passwd", "-U", str(users)], check=True, capture_output=True)
    broker.stop()
    broker.start()
    rig.wait(partial(_says, rig, "refuse"), "a revoked password is said", 30)
    rig.note(f"password revoked: {rig.status().get('link')}")
    password.write_text("secret-canary-2")
    rig.wait(sluice.connected, "a rotated password is taken without a start", 60)
    rig.recovered(60)
    rig.account()
    said = sluice.log.read_text(errors="replace") + str(rig.status())
    rig.must("canary" not in said, "no secret in logs or status")


def _says(rig: Rig, word: str) -> bool:
    """Tell whether what is said of the link holds a word."""
    return word in str(rig.status().get("link"))
