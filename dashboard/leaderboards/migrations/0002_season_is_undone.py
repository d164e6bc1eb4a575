from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("leaderboards", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="season", name="is_undone", field=models.BooleanField(default=False)
        )
    ]
