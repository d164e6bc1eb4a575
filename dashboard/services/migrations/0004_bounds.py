import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [('servers', '0002_load'), ('services', '0003_notices')]

    operations = [
        migrations.AddField('collecting', 'day', models.DateField(null=True)),
        migrations.AddField('collecting', 'day_rows', models.PositiveIntegerField(default=0)),
        migrations.AddField('collecting', 'left_out', models.PositiveBigIntegerField(default=0)),
        migrations.AddField('collecting', 'beyond', models.PositiveIntegerField(default=0)),
        migrations.AddField('collecting', 'forgotten', models.PositiveBigIntegerField(default=0)),
        migrations.CreateModel(
            name='Mute',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('service', models.CharField(max_length=100)),
                ('instance', models.CharField(blank=True, max_length=200)),
                ('until', models.DateTimeField()),
                ('why', models.CharField(max_length=200)),
                ('author', models.CharField(max_length=150)),
                ('created', models.DateTimeField(auto_now_add=True)),
                ('server', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='service_mutes', to='servers.server')),
            ],
            options={
                'ordering': ['until', 'pk'],
                'constraints': [models.UniqueConstraint(fields=('server', 'service', 'instance'), name='one_mute_of_an_instance')],
            },
        ),
    ]
