from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0002_api_token'),
    ]

    operations = [
        migrations.AddField(
            model_name='apitoken',
            name='services',
            field=models.JSONField(default=list),
        ),
    ]
