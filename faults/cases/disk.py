"""What happens to the disk: it is full, or the power is gone before it has what it was given."""

from __future__ import annotations

from faults.fault import SkipError, fault
from faults.rig.rig import Rig
from faults.rig.volume import Volume, possible


@fault("F09", "disk full, and freed", scaled="10 min → 20 s, a disk of 96 MB")
def full(rig: Rig) -> None:
    volume = _volume(rig, 96)
    rig.settings["disk"] = {"reserve": "8MB"}
    sluice = rig.sluice(data=volume.path / "data", history=True)
    sluice.start()
    rig.publish(rate=rig.length(500, 600), seconds=rig.length(60, 3))
    rig.pause(rig.length(10, 0.5))
    for _ in range(round(rig.length(20, 3))):
        volume.fill()  # again, since what is given back is taken at once by whatever fills the disk
        rig.pause(rig.length(1.0, 0.4))
    rig.note(f"while it is full: link {rig.status().get('link')}; {rig.status().get('blocked') or 'not blocked'}")
    started = {name: one["count"] for name, one in rig.status().get("restarts", {}).items()}
    rig.must(sum(started.values()) <= 2, f"no crash loop; restarted {started}")
    volume.free()
    rig.recovered(30)
    found = rig.account(pure=False)
    rig.note(f"the history has {found.stored:,}; the store shed {rig.status()['store'].get('shed', {})}")
    sluice.stop()
    _sound(rig)
    sluice.start()


@fault("F10", "power lost", scaled="30 cuts at random, 500 messages/s, ext4 shut down without its log")
def power_lost(rig: Rig) -> None:
    """Everything that was not synced is gone with the power: of files, of folders, of SQLite's logs."""
    volume = _volume(rig, 512)
    sluice = rig.sluice(data=volume.path / "data")
    sluice.start()
    cuts = round(rig.length(30, 2))
    rig.publish(rate=rig.length(500, 600), seconds=rig.length(cuts * 4.5, 2.5))
    starts = []
    for _ in range(cuts):
        rig.pause(rig.random.uniform(0.1, rig.length(2.0, 0.8)))
        sluice.freeze()  # nobody sees the disk go: with the power, everything goes at once
        volume.cut_power()
        sluice.kill_everything()
        volume.unmount()
        volume.mount()
        starts.append(sluice.start())
    rig.note(f"{cuts} cuts; ready again after {max(starts):.1f} s at most")
    rig.must(max(starts) < 20, f"ready within 20 s; took {max(starts):.1f} s")
    rig.recovered(30)
    rig.account()
    sluice.stop()
    _sound(rig)
    sluice.start()


def _volume(rig: Rig, megabytes: int) -> Volume:
    if why := possible():
        raise SkipError(why)
    try:
        volume = Volume(rig.folder / "disk", megabytes)
    except AssertionError as error:
        raise SkipError(f"no file system can be mounted here ({error})") from None
    rig.stack.callback(volume.unmount)
    return volume


def _sound(rig: Rig) -> None:
    """Ask the doctor: nothing on the disk may be damaged."""
    examined = rig.sluice()("doctor")
    rig.must(examined["healthy"], f"the doctor finds nothing; got {examined['complaints'][:3]}")
