from django.apps import AppConfig


class LeaderboardsConfig(AppConfig):
    name = "dashboard.leaderboards"
    label = "leaderboards"

    def ready(self) -> None:
        from dashboard.leaderboards.boards import registration as boards
        from dashboard.leaderboards.seasons import registration as seasons
        from dashboard.leaderboards.uniques import registration as uniques

        for room in (boards, seasons, uniques):
            room.register()
