import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('servers', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='server',
            name='load_share',
            field=models.FloatField(default=5.0, validators=[django.core.validators.MinValueValidator(0.1), django.core.validators.MaxValueValidator(100)]),
        ),
        migrations.AddField(
            model_name='server',
            name='load_commands',
            field=models.PositiveIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(50)]),
        ),
        migrations.AddField(
            model_name='server',
            name='stopped_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='server',
            name='stopped_by',
            field=models.CharField(blank=True, editable=False, max_length=150),
        ),
        migrations.AddField(
            model_name='server',
            name='stopped_why',
            field=models.CharField(blank=True, editable=False, max_length=500),
        ),
    ]
