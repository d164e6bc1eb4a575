import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = [migrations.swappable_dependency(settings.AUTH_USER_MODEL), ("servers", "0002_load")]

    operations = [
        migrations.CreateModel(
            name='Collecting',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('swept', models.DateTimeField(null=True)),
                ('server', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='services_collecting', to='servers.server')),
            ],
        ),
        migrations.CreateModel(
            name='Change',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('service', models.CharField(max_length=100)),
                ('instance', models.CharField(blank=True, max_length=200)),
                ('epoch', models.CharField(max_length=80)),
                ('version', models.BigIntegerField()),
                ('event', models.CharField(max_length=24)),
                ('from_state', models.CharField(blank=True, max_length=20)),
                ('state', models.CharField(max_length=20)),
                ('suspect', models.BooleanField(default=False)),
                ('why', models.CharField(blank=True, max_length=500)),
                ('since', models.DateTimeField(null=True)),
                ('at', models.DateTimeField()),
                ('server', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='service_changes', to='servers.server')),
            ],
            options={
                'ordering': ['-at', '-pk'],
                'indexes': [models.Index(fields=['server', 'at'], name='changes_by_time'), models.Index(fields=['server', 'service', 'at'], name='changes_of_service'), models.Index(fields=['server', 'service', 'instance', 'at'], name='changes_of_instance')],
                'constraints': [models.UniqueConstraint(fields=('server', 'service', 'epoch', 'version'), name='one_change_of_a_version')],
            },
        ),
        migrations.CreateModel(
            name='Followed',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('service', models.CharField(max_length=100)),
                ('epoch', models.CharField(max_length=64)),
                ('turn', models.PositiveIntegerField(default=0)),
                ('version', models.BigIntegerField(default=0)),
                ('place', models.CharField(default='0-0', max_length=45)),
                ('known_from', models.DateTimeField(null=True)),
                ('last_at', models.DateTimeField(null=True)),
                ('server', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='services_followed', to='servers.server')),
            ],
            options={
                'ordering': ['pk'],
                'constraints': [models.UniqueConstraint(fields=('server', 'service'), name='one_place_of_a_service')],
            },
        ),
    ]
