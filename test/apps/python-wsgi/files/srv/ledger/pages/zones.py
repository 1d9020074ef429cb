import datetime
import zoneinfo


def answer(settings, request):
    when = datetime.datetime(2021, 7, 1, 12, tzinfo=datetime.timezone.utc)
    return "".join("%s %s\n" % (zone, when.astimezone(zoneinfo.ZoneInfo(zone)).isoformat()) for zone in ("Asia/Tokyo", "America/Lima", "Indian/Mauritius"))
